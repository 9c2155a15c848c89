// The one way by which every scheme's matrix becomes rows: codes, and scales and zero points of groups of columns.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "store/source.h"

namespace madang {

/// What a code stands for.
enum class CodeKind {
  integer,  ///< q - zero
  nf4,      ///< one of sixteen levels
  fp4,      ///< one of bitsandbytes' own sixteen
  levels,   ///< one of the sixteen given
  e4m3,     ///< eight-bit floating point
  e2m1,     ///< four-bit floating point
};

/// value[r, c] = meaning(code[r, c], zero[r, g]) * scale[r, g], g = group[c].
struct CodeRows {
  CodeKind kind = CodeKind::integer;
  int bits = 4;  ///< of integers
  int64_t rows = 0, cols = 0, groups = 1;
  std::unique_ptr<uint8_t[]> code;  ///< [rows, cols]
  std::vector<float> scale;         ///< [rows, groups]
  std::vector<int16_t> zero;        ///< [rows, groups]; empty: 2^(bits - 1) everywhere, or not used
  std::vector<int32_t> group;       ///< [cols], each below groups
  std::vector<float> level;         ///< of CodeKind::levels

  CodeRows(int64_t rows, int64_t cols, int64_t groups);
  float value(int64_t row, int64_t column) const;
};

/// The columns of group 0 come first, then those of group 1, ...: group[c] = c / size.
std::vector<int32_t> groups_in_order(int64_t cols, int64_t size);

/// As rows of the narrowest format that holds the values exactly, columns put in order of their groups; as float32
/// where groups, so ordered, do not divide by 16 (e2m1) or 32, or rows do not.
StoredTensor stored_rows(CodeRows&& rows);

/// Code i of a stream of `bits` bits, lowest first, in 32-bit words `stride` words apart.
inline uint32_t stream_code(const uint8_t* words, int64_t i, int bits, int64_t stride) {
  const int64_t at = i * bits, word = at / 32;
  const int shift = static_cast<int>(at % 32);
  auto load = [&](int64_t w) {
    uint32_t value;
    __builtin_memcpy(&value, words + w * stride * 4, 4);
    return value;
  };
  uint64_t both = load(word);
  if (shift + bits > 32) both |= static_cast<uint64_t>(load(word + 1)) << 32;
  return static_cast<uint32_t>(both >> shift) & ((1u << bits) - 1);
}

}  // namespace madang
