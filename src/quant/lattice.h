// The i-quants: codes are entries of fixed code books (grids.h), with signs apart (ggml, ggml-common.h). f16 d first,
// except in IQ1_M, whose scale is spread over the top nibbles of its four 16-bit scale words.
//   IQ2_XXS  8 x (4 indices, 4 x 7 sign bits and a 4-bit scale)
//   IQ2_XS   32 x (9-bit index, 7 sign bits), 8 bytes of 4-bit scales
//   IQ2_S    32 low index bytes, 32 sign bytes, 8 high index bytes, 8 bytes of 4-bit scales
//   IQ3_XXS  64 indices, 8 x (4 x 7 sign bits and a 4-bit scale)
//   IQ3_S    64 low index bytes, 8 high index bytes, 32 sign bytes, 4 bytes of 4-bit scales
//   IQ1_S    32 low index bytes, 8 x (4 x 3 high index bits, 3-bit scale, sign of delta)
//   IQ1_M    32 low index bytes, 16 bytes of 3 high index bits and a delta sign each half, 4 scale words
//   IQ4_NL   16 bytes of nibbles into sixteen levels;  IQ4_XS: 256 of them with 6-bit scales
#pragma once
#include "quant/bits.h"
#include "quant/grids.h"

namespace madang::lattice {

/// A block of 256 with its fields apart, as all of these but IQ4 have them:
///   code = entry's code, or minus it;   scale of a group = d (2 s + 1) / unit
struct Entries {
  uint16_t entry[64] = {};    ///< numbers of 32 entries of eight codes, or of 64 of four
  uint8_t negative[32] = {};  ///< bit j of byte i: code 8 i + j is
  uint8_t s[16] = {};
  uint16_t d = 0;  ///< float16
};

/// Seven stored sign bits; the eighth makes their number even.
inline uint8_t even_signs(uint32_t bits) {
  const uint32_t seven = bits & 127,
                 odd = 0x6996 >> ((seven ^ seven >> 4) & 15) & 1;  // parity of four bits, as a table
  return static_cast<uint8_t>(seven | odd << 7);
}

// n scales of four bits.
inline void nibble_scales(const uint8_t* p, int n, Entries& e) {
  for (int g = 0; g < n; ++g) e.s[g] = p[g / 2] >> 4 * (g % 2) & 15;
}

// The second half of a group of IQ2_XXS and IQ3_XXS.
inline void signs_and_scale(uint32_t word, int g, Entries& e) {
  for (int l = 0; l < 4; ++l) e.negative[4 * g + l] = even_signs(word >> 7 * l);
  e.s[g] = static_cast<uint8_t>(word >> 28);
}

inline void iq2_xxs(const uint8_t* b, Entries& e) {
  e.d = field16(b);
  for (int g = 0; g < 8; ++g) {
    const uint8_t* q = b + 2 + 8 * g;
    for (int l = 0; l < 4; ++l) e.entry[4 * g + l] = q[l];
    signs_and_scale(field32(q + 4), g, e);
  }
}

inline void iq2_xs(const uint8_t* b, Entries& e) {
  e.d = field16(b);
  nibble_scales(b + 66, 16, e);
  for (int i = 0; i < 32; ++i) {
    const uint16_t word = field16(b + 2 + 2 * i);
    e.entry[i] = word & 511, e.negative[i] = even_signs(word >> 9);
  }
}

inline void iq2_s(const uint8_t* b, Entries& e) {
  e.d = field16(b);
  nibble_scales(b + 74, 16, e);
  for (int i = 0; i < 32; ++i) {
    e.entry[i] = static_cast<uint16_t>(b[2 + i] | (b[66 + i / 4] << (8 - 2 * (i % 4)) & 0x300));
    e.negative[i] = b[34 + i];
  }
}

inline void iq3_xxs(const uint8_t* b, Entries& e) {
  e.d = field16(b);
  for (int i = 0; i < 64; ++i) e.entry[i] = b[2 + i];
  for (int g = 0; g < 8; ++g) signs_and_scale(field32(b + 66 + 4 * g), g, e);
}

inline void iq3_s(const uint8_t* b, Entries& e) {
  e.d = field16(b);
  nibble_scales(b + 106, 8, e);
  for (int i = 0; i < 64; ++i) e.entry[i] = static_cast<uint16_t>(b[2 + i] | (b[66 + i / 8] >> i % 8 & 1) << 8);
  std::memcpy(e.negative, b + 74, 32);
}

// value = dl (grid + delta), delta = +-1/8, whose sign is the highest bit of an entry's number: see iq1_grid.
inline uint16_t iq1_entry(uint8_t low, int high) { return static_cast<uint16_t>(low | high << 8); }

inline void iq1_s(const uint8_t* b, Entries& e) {
  e.d = field16(b);
  for (int g = 0; g < 8; ++g) {
    const uint16_t word = field16(b + 34 + 2 * g);
    e.s[g] = word >> 12 & 7;
    for (int l = 0; l < 4; ++l)
      e.entry[4 * g + l] = iq1_entry(b[2 + 4 * g + l], (word >> 3 * l & 7) | (word >> 15) << 3);
  }
}

inline void iq1_m(const uint8_t* b, Entries& e) {
  uint16_t words[4];
  for (int i = 0; i < 4; ++i) words[i] = field16(b + 48 + 2 * i);
  e.d = static_cast<uint16_t>(words[0] >> 12 | (words[1] >> 8 & 0xF0) | (words[2] >> 4 & 0xF00) | (words[3] & 0xF000));
  for (int g = 0; g < 16; ++g) e.s[g] = words[g / 4] >> 3 * (g % 4) & 7;
  for (int i = 0; i < 32; ++i) e.entry[i] = iq1_entry(b[i], b[32 + i / 2] >> 4 * (i % 2) & 15);
}

inline constexpr uint64_t ones = 0x0101010101010101u;

/// The codes of an entry, those negated whose bit is set in `signs`. None is zero, so no byte carries into the next.
template <class Entry>
void with_signs(Entry entry, uint32_t signs, int8_t* code) {
  const uint64_t set = (signs & 255) * ones & 0x8040201008040201u;  // byte j keeps bit j
  const uint64_t one = (set + 0x7F * ones) >> 7 & ones;             // and becomes 0 or 1
  const Entry values = (entry ^ static_cast<Entry>(one * 255)) + static_cast<Entry>(one);
  std::memcpy(code, &values, sizeof values);
}

/// Codes and scales of a block.
template <auto read, const auto& grid, int group, int unit>
void codes(const uint8_t* b, int8_t* code, float* scale, float*) {
  Entries e;
  read(b, e);
  const float d = float_of_half(e.d);
  for (int g = 0; g < 256 / group; ++g) scale[g] = d * static_cast<float>(2 * e.s[g] + 1) / unit;
  constexpr int n = sizeof grid[0];
  for (int i = 0; i < 256 / n; ++i) with_signs(grid[e.entry[i]], e.negative[i * n / 8] >> i * n % 8, code + n * i);
}

inline constexpr int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

inline void level_nibbles(const uint8_t* p, const int8_t* levels, int8_t* code) {
  for (int i = 0; i < 16; ++i) code[i] = levels[p[i] & 15], code[i + 16] = levels[p[i] >> 4];
}

inline void iq4_nl(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = half_field(b);
  level_nibbles(b + 2, iq4_levels, code);
}

/// The eight six-bit scales of IQ4_XS, less 32.
inline void iq4_xs_scales(const uint8_t* b, float d, float* scale) {
  for (int g = 0; g < 8; ++g) {
    const int s = (b[4 + g / 2] >> 4 * (g % 2) & 15) | (field16(b + 2) >> 2 * g & 3) << 4;
    scale[g] = d * static_cast<float>(s - 32);
  }
}

inline void iq4_xs(const uint8_t* b, int8_t* code, float* scale, float*) {
  iq4_xs_scales(b, half_field(b), scale);
  for (int g = 0; g < 8; ++g) level_nibbles(b + 8 + 16 * g, iq4_levels, code + 32 * g);
}

}  // namespace madang::lattice
