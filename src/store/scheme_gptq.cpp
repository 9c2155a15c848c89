// GPTQ (Frantar et al. 2022) as AutoGPTQ and GPTQModel write it, 2, 3, 4 and 8 bits:
//   qweight  I32 [in * bits / 32, out]      codes along the input, one stream of bits for each output, lowest first
//   qzeros   I32 [groups, out * bits / 32]  zero points along the output; less one, modulo 2^bits, in "gptq", as they
//                                           are in "gptq_v2"
//   scales   F16 [groups, out]
//   g_idx    I32 [in]                       the group of each input; absent: i / group_size
//   weight[out, in] = scales[g, out] * (q - z[g, out])
#include <algorithm>
#include <array>

#include "base/error.h"
#include "store/bounds.h"
#include "store/code_rows.h"
#include "store/scheme.h"

namespace madang {
namespace {

struct Form {
  int bits = 4;
  bool less_one = true;
  int64_t in = 0, out = 0, group_size = 0;
};

struct Matrix {
  StoredTensor weight, zeros, scales;
  std::optional<StoredTensor> groups;
  Form form;
};

// The codes of 32 inputs of one output are `bits` words, one below the other.
void read_codes(const Matrix& m, CodeRows& rows) {
  const int bits = m.form.bits;
  const uint8_t* words = m.weight.bytes.data();
  for (int64_t begin = 0; begin < rows.cols; begin += 32) {
    const int64_t n = std::min<int64_t>(32, rows.cols - begin);
    for (int64_t r = 0; r < rows.rows; ++r) {
      uint8_t* to = rows.code.get() + r * rows.cols + begin;
      const uint8_t* from = words + (begin / 32 * bits * rows.rows + r) * 4;
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(stream_code(from, i, bits, rows.rows));
    }
  }
}

void read_groups(const Matrix& m, CodeRows& rows) {
  if (!m.groups) {
    rows.group = groups_in_order(rows.cols, m.form.group_size);
    return;
  }
  for (int64_t g : integers_of(*m.groups)) {
    if (g < 0 || g >= rows.groups)
      throw Error(Kind::format, say("tensor {} names a group that is not there", shown(m.groups->name)))
          .expected(fmt::format("0 .. {}", rows.groups - 1))
          .found(std::to_string(g));
    rows.group.push_back(static_cast<int32_t>(g));
  }
}

StoredTensor make(const Matrix& m) {
  const Form& l = m.form;
  CodeRows rows(l.out, l.in, m.scales.shape[0]);
  rows.bits = l.bits;
  read_groups(m, rows);
  read_codes(m, rows);
  const std::vector<float> scales = floats_of(m.scales);
  rows.scale.resize(scales.size()), rows.zero.resize(scales.size());
  for (int64_t g = 0; g < rows.groups; ++g) {
    const uint8_t* zeros = m.zeros.bytes.data() + g * (l.out * l.bits / 32) * 4;
    for (int64_t r = 0; r < l.out; ++r) {
      const auto at = static_cast<size_t>(r * rows.groups + g);
      const uint32_t zero = stream_code(zeros, r, l.bits, 1) + (l.less_one ? 1 : 0);
      rows.zero[at] = static_cast<int16_t>(zero & ((1u << l.bits) - 1));
      rows.scale[at] = scales[static_cast<size_t>(g * l.out + r)];
    }
  }
  return stored_rows(std::move(rows));
}

/// The tensors of one matrix, sizes checked against each other.
Matrix matrix_of(const Parts& parts, const std::string& stem, Form l, bool bits_vary) {
  Matrix m{parts.need(stem + ".qweight", stem),
           parts.need(stem + ".qzeros", stem),
           parts.need(stem + ".scales", stem),
           {},
           {}};
  check_rank(m.weight, {DType::i32}, 2);
  check_rank(m.scales, {DType::f16, DType::bf16, DType::f32}, 2);
  if (const StoredTensor* g = parts.find(stem + ".g_idx")) {
    check_rank(*g, {DType::i32, DType::i64}, 1);
    m.groups = *g;
    // A module may have bits of its own ("dynamic" of GPTQModel): its inputs are counted here.
    if (bits_vary && m.weight.shape[0] * 32 % g->shape[0] == 0)
      l.bits = static_cast<int>(std::min<int64_t>(m.weight.shape[0] * 32 / g->shape[0], 32));
  }
  l.in = m.weight.shape[0] * 32 / l.bits, l.out = m.weight.shape[1];
  if (l.bits != 2 && l.bits != 3 && l.bits != 4 && l.bits != 8)
    throw Error(Kind::unsupported, say("GPTQ with {} bits is not known", l.bits))
        .at(shown(stem))
        .expected("2, 3, 4, 8");
  if (l.group_size < 1) l.group_size = l.in;
  const int64_t groups = m.groups ? m.scales.shape[0] : (l.in + l.group_size - 1) / l.group_size;
  check(m.weight, {DType::i32}, std::array{l.in * l.bits / 32, l.out});
  check(m.scales, {DType::f16, DType::bf16, DType::f32}, std::array{groups, l.out});
  check(m.zeros, {DType::i32}, std::array{groups, l.out * l.bits / 32});
  if (l.out * l.bits % 32 != 0)
    throw Error(Kind::mismatch, say("the zero points of {} do not fill whole words", shown(stem)))
        .expected("out x bits = 32 n")
        .found(fmt::format("{} x {}", l.out, l.bits));
  if (m.groups) check(*m.groups, {DType::i32, DType::i64}, std::array{l.in});
  m.form = l;
  return m;
}

}  // namespace

void gptq(Parts& parts, const SchemeConfig& config) {
  static constexpr std::string_view forms[] = {"gptq", "gptq_v2"}, packs[] = {"int32"};
  if (config.flag("is_marlin_format", false))
    throw Error(Kind::unsupported, say("the checkpoint is quantized in a way that madang does not know"))
        .at(config.where + ": quantization_config.is_marlin_format")
        .expected("false")
        .found("true");
  Form form;
  form.less_one = config.one_of("checkpoint_format", "gptq", forms) == "gptq";
  config.one_of("pack_dtype", "int32", packs);
  form.bits = static_cast<int>(std::clamp<int64_t>(config.integer("bits"), 1, 32));
  form.group_size = config.integer("group_size", -1);
  const bool bits_vary = config.keys.contains("dynamic") && config.keys["dynamic"].is_object();
  for (const std::string& stem : parts.stems(".qweight")) {
    Matrix m = matrix_of(parts, stem, form, bits_vary);
    Recipe recipe{.label = fmt::format("GPTQ-{}", m.form.bits),
                  .shape = {m.form.out, m.form.in},
                  .parts = {m.weight, m.zeros, m.scales},
                  .make = {}};
    if (m.groups) recipe.parts.push_back(*m.groups);
    recipe.make = [m = std::move(m)] { return make(m); };
    parts.replace(stem + ".weight", std::move(recipe));
  }
}

}  // namespace madang
