// bitsandbytes as transformers saves it. Four bits (Dettmers et al. 2023, QLoRA), X being a weight's name:
//   X                U8 [n / 2, 1]    codes of the whole matrix, row by row, the first in the high nibble; the bytes
//                                     may be kept as another type (bnb_4bit_quant_storage)
//   X.absmax         F32 [n / 64]     scales, one for each run of `blocksize`; quantized themselves: U8, then
//   X.nested_absmax, X.nested_quant_map   absmax = nested_quant_map[a] * nested_absmax[i / nested_blocksize] + offset
//   X.quant_map      F32 [16]         what the codes stand for
//   X.quant_state.bitsandbytes__nf4 (fp4)   JSON in bytes: shape, blocksize, nested_blocksize, nested_offset
// Eight bits (Dettmers et al. 2022, LLM.int8):
//   weight  I8 [out, in],  SCB  F32 [out],  weight_format  U8 [] = 0:   weight = q * (SCB / 127)
#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "quant/grouped.h"
#include "store/bounds.h"
#include "store/code_rows.h"
#include "store/scheme.h"

namespace madang {
namespace {

constexpr std::array<std::string_view, 2> states = {".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4"};

struct Matrix {
  StoredTensor weight, absmax, map, state;
  std::optional<StoredTensor> nested_absmax, nested_map;
  int64_t rows = 0, cols = 0, block = 0, nested_block = 0;
  float offset = 0;
};

int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::vector<float> scales_of(const Matrix& m) {
  if (!m.nested_map) return floats_of(m.absmax);
  const std::vector<float> map = floats_of(*m.nested_map), outer = floats_of(*m.nested_absmax);
  std::vector<float> scales(static_cast<size_t>(m.absmax.numel()));
  for (size_t i = 0; i < scales.size(); ++i)
    scales[i] = map[m.absmax.bytes[i]] * outer[i / static_cast<size_t>(m.nested_block)] + m.offset;
  return scales;
}

CodeKind kind_of(const std::vector<float>& levels) {
  auto same = [&](const float(&known)[16]) { return std::ranges::equal(levels, known); };
  return same(grouped::nf4_levels) ? CodeKind::nf4 : same(grouped::fp4_levels) ? CodeKind::fp4 : CodeKind::levels;
}

// Runs of scales go on from row to row: each row gets the groups it meets, cut where rows begin.
StoredTensor make(const Matrix& m) {
  // Columns whose borders of runs, over all rows, lie at multiples of `each` share a scale.
  const int64_t each = std::gcd(m.block, m.cols);
  CodeRows rows(m.rows, m.cols, m.cols / each);
  rows.level = floats_of(m.map);
  rows.kind = kind_of(rows.level);
  rows.group = groups_in_order(m.cols, each);
  const std::vector<float> scales = scales_of(m);
  rows.scale.resize(static_cast<size_t>(rows.rows * rows.groups));
  for (size_t i = 0; i < rows.scale.size(); ++i)
    rows.scale[i] = scales[i * static_cast<size_t>(each) / static_cast<size_t>(m.block)];
  const int64_t n = m.rows * m.cols;
  for (int64_t i = 0; i < n; ++i)
    rows.code[static_cast<size_t>(i)] = m.weight.bytes[static_cast<size_t>(i / 2)] >> (i % 2 ? 0 : 4) & 15;
  return stored_rows(std::move(rows));
}

[[noreturn]] void bad_state(const StoredTensor& state, const char* key) {
  throw Error(Kind::format, say("the quantization state {} is not as bitsandbytes writes it", shown(state.name)))
      .at(state.file ? state.file->path() : "")
      .expected(key);
}

int64_t positive(const Json& state, const StoredTensor& tensor, const char* key) {
  auto found = state.find(key);
  if (found == state.end() || !found->is_number_integer() || *found < 1 || *found > (1 << 30)) bad_state(tensor, key);
  return found->get<int64_t>();
}

void read_state(Matrix& m) {
  const Json state =
      parse_json({reinterpret_cast<const char*>(m.state.bytes.data()), m.state.bytes.size()}, m.state.name);
  if (!state.is_object() || !state.contains("shape") || !state["shape"].is_array() || state["shape"].size() != 2)
    bad_state(m.state, "shape [out, in]");
  const Json shape = {{"0", state["shape"][0]}, {"1", state["shape"][1]}};
  m.rows = positive(shape, m.state, "0"), m.cols = positive(shape, m.state, "1");
  m.block = positive(state, m.state, "blocksize");
  if (m.absmax.dtype != DType::u8) return;
  m.nested_block = positive(state, m.state, "nested_blocksize");
  if (!state.contains("nested_offset") || !state["nested_offset"].is_number()) bad_state(m.state, "nested_offset");
  m.offset = state["nested_offset"].get<float>();
}

Matrix matrix_of(const Parts& parts, const std::string& name, std::string_view ending) {
  Matrix m{parts.need(name, name),
           parts.need(name + ".absmax", name),
           parts.need(name + ".quant_map", name),
           parts.need(name + std::string(ending), name),
           {},
           {}};
  check_rank(m.state, {DType::u8}, 1);
  read_state(m);
  int64_t n = m.rows * m.cols;  // both at most 2^30
  if (static_cast<int64_t>(m.weight.bytes.size()) != ceiling(n, 2))
    throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(name)))
        .expected(fmt::format("{} bytes for {} x {} weights of 4 bits", ceiling(n, 2), m.rows, m.cols))
        .found(fmt::format("{} {}", name_of(m.weight.dtype), m.weight.shape_text()));
  const int64_t runs = ceiling(n, m.block);
  check(m.map, {DType::f32, DType::f16, DType::bf16}, std::array<int64_t, 1>{16});
  check(m.absmax, {DType::u8, DType::f32, DType::f16, DType::bf16}, std::array{runs});
  if (m.absmax.dtype == DType::u8) {
    m.nested_absmax = parts.need(name + ".nested_absmax", name);
    m.nested_map = parts.need(name + ".nested_quant_map", name);
    check(*m.nested_absmax, {DType::f32}, std::array{ceiling(runs, m.nested_block)});
    check(*m.nested_map, {DType::f32}, std::array<int64_t, 1>{256});
  }
  return m;
}

void four_bits(Parts& parts) {
  for (std::string_view ending : states)
    for (const std::string& name : parts.stems(ending)) {
      Matrix m = matrix_of(parts, name, ending);
      Recipe recipe{.label = ending == states[0] ? "NF4" : "FP4",
                    .shape = {m.rows, m.cols},
                    .parts = {m.weight, m.absmax, m.map, m.state},
                    .make = {}};
      if (m.nested_map) recipe.parts.insert(recipe.parts.end(), {*m.nested_absmax, *m.nested_map});
      recipe.make = [m = std::move(m)] { return make(m); };
      parts.replace(name, std::move(recipe));
    }
}

StoredTensor make_eight(const StoredTensor& weight, const StoredTensor& largest) {
  CodeRows rows(weight.shape[0], weight.shape[1], 1);
  rows.bits = 8;
  rows.group = groups_in_order(rows.cols, rows.cols);
  rows.scale = floats_of(largest);
  for (float& s : rows.scale) s /= 127.0f;
  for (size_t i = 0; i < weight.bytes.size(); ++i) rows.code[i] = static_cast<uint8_t>(weight.bytes[i] + 128);
  return stored_rows(std::move(rows));
}

void eight_bits(Parts& parts) {
  for (const std::string& stem : parts.stems(".SCB")) {
    const StoredTensor weight = parts.need(stem + ".weight", stem), largest = *parts.find(stem + ".SCB");
    check_rank(weight, {DType::i8}, 2);
    check(largest, {DType::f32}, std::array{weight.shape[0]});
    const StoredTensor* form = parts.find(stem + ".weight_format");
    if (form && (form->bytes.size() != 1 || form->bytes[0] != 0))
      throw Error(Kind::unsupported, say("the weights of {} lie in an order made for one processor", shown(stem)))
          .at(shown(form->name))
          .expected("U8 [] = 0 (row)")
          .found(fmt::format("{} {} = {}", name_of(form->dtype), form->shape_text(),
                             form->bytes.empty() ? 0 : int{form->bytes[0]}));
    Recipe recipe{.label = "LLM.int8", .shape = weight.shape, .parts = {weight, largest}, .make = {}};
    recipe.make = [weight, largest] { return make_eight(weight, largest); };
    parts.replace(stem + ".weight", std::move(recipe));
  }
  static constexpr std::string_view unread[] = {".weight_format"};
  parts.forget(unread);
}

}  // namespace

void bitsandbytes(Parts& parts, const SchemeConfig&) {
  four_bits(parts);
  eight_bits(parts);
}

}  // namespace madang
