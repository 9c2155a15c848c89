// AWQ (Lin et al. 2023) as AutoAWQ's "gemm" writes it, 4 bits:
//   qweight  I32 [in, out / 8]      eight outputs in a word, its nibbles in the order 0 2 4 6 1 3 5 7
//   qzeros   I32 [groups, out / 8]  zero points in the same order
//   scales   F16 [groups, out]
//   weight[out, in] = (q - z[g, out]) * scales[g, out],  g = in / group_size
// Refused: gemv, gemv_fast, marlin (other orders), other numbers of bits.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "store/bounds.h"
#include "store/code_rows.h"
#include "store/scheme.h"

namespace madang {
namespace {

// Where output j of a word lies: the nibbles are 0 2 4 6 1 3 5 7.
constexpr int place[8] = {0, 4, 1, 5, 2, 6, 3, 7};

int nibble(const uint8_t* words, int64_t output) {
  const int at = place[output % 8];
  return words[output / 8 * 4 + at / 2] >> 4 * (at % 2) & 15;
}

struct Matrix {
  StoredTensor weight, zeros, scales;
  int64_t in, out, group_size;
};

StoredTensor make(const Matrix& m) {
  CodeRows rows(m.out, m.in, m.scales.shape[0]);
  rows.group = groups_in_order(m.in, m.group_size);
  const std::vector<float> scales = floats_of(m.scales);
  rows.scale.resize(scales.size()), rows.zero.resize(scales.size());
  const int64_t bytes = m.out / 2;  // of a line
  for (int64_t g = 0; g < rows.groups; ++g)
    for (int64_t r = 0; r < m.out; ++r) {
      const auto at = static_cast<size_t>(r * rows.groups + g);
      rows.zero[at] = static_cast<int16_t>(nibble(m.zeros.bytes.data() + g * bytes, r));
      rows.scale[at] = scales[static_cast<size_t>(g * m.out + r)];
    }
  // Eight outputs by 32 inputs at a time: what is written together lies in eight cache lines.
  for (int64_t begin = 0; begin < m.in; begin += 32)
    for (int64_t r = 0; r < m.out; r += 8)
      for (int64_t c = begin; c < std::min(begin + 32, m.in); ++c)
        for (int64_t j = 0; j < 8; ++j)
          rows.code[static_cast<size_t>((r + j) * m.in + c)] =
              static_cast<uint8_t>(nibble(m.weight.bytes.data() + c * bytes, r + j));
  return stored_rows(std::move(rows));
}

}  // namespace

void awq(Parts& parts, const SchemeConfig& config) {
  static constexpr std::string_view forms[] = {"gemm"};
  config.one_of("version", "gemm", forms);
  const int64_t bits = config.integer("bits", config.integer("w_bit", 4));
  if (bits != 4)
    throw Error(Kind::unsupported, say("AWQ with {} bits is not known", bits)).at(config.where).expected("4");
  const int64_t group_size = config.integer("group_size", config.integer("q_group_size", 128));
  for (const std::string& stem : parts.stems(".qweight")) {
    Matrix m{parts.need(stem + ".qweight", stem),
             parts.need(stem + ".qzeros", stem),
             parts.need(stem + ".scales", stem),
             0,
             0,
             0};
    check_rank(m.weight, {DType::i32}, 2);
    m.in = m.weight.shape[0], m.out = m.weight.shape[1] * 8;
    m.group_size = group_size < 1 ? m.in : group_size;
    const int64_t groups = (m.in + m.group_size - 1) / m.group_size;
    check(m.scales, {DType::f16, DType::bf16, DType::f32}, std::array{groups, m.out});
    check(m.zeros, {DType::i32}, std::array{groups, m.out / 8});
    Recipe recipe{.label = "AWQ-4", .shape = {m.out, m.in}, .parts = {m.weight, m.zeros, m.scales}, .make = {}};
    recipe.make = [m = std::move(m)] { return make(m); };
    parts.replace(stem + ".weight", std::move(recipe));
  }
}

}  // namespace madang
