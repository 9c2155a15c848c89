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

/// Seven stored sign bits; the eighth makes their number even.
inline uint32_t even_signs(uint32_t seven) {
  const uint32_t odd = 0x6996 >> ((seven ^ seven >> 4) & 15) & 1;  // parity of four bits, as a table
  return seven | odd << 7;
}

inline constexpr uint64_t ones = 0x0101010101010101u;

/// The values of an entry, those negated whose bit is set in `signs`. None is zero, so no byte carries into the next.
template <class Entry>
void with_signs(Entry entry, uint32_t signs, int8_t* code) {
  const uint64_t set = (signs & 255) * ones & 0x8040201008040201u;  // byte j keeps bit j
  const uint64_t one = (set + 0x7F * ones) >> 7 & ones;             // and becomes 0 or 1
  const Entry values = (entry ^ static_cast<Entry>(one * 255)) + static_cast<Entry>(one);
  std::memcpy(code, &values, sizeof values);
}

inline void iq2_xxs(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    const uint8_t* q = b + 2 + 8 * g;
    const uint32_t word = field32(q + 4);
    scale[g] = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
    for (int l = 0; l < 4; ++l) with_signs(iq2_xxs_grid[q[l]], even_signs(word >> 7 * l & 127), code + 32 * g + 8 * l);
  }
}

inline void half_scales(const uint8_t* s, float d, float* scale) {
  for (int g = 0; g < 16; ++g) scale[g] = d * (0.5f + static_cast<float>(s[g / 2] >> 4 * (g % 2) & 15)) * 0.25f;
}

inline void iq2_xs(const uint8_t* b, int8_t* code, float* scale, float*) {
  half_scales(b + 66, half_field(b), scale);
  for (int i = 0; i < 32; ++i) {
    const uint16_t word = field16(b + 2 + 2 * i);
    with_signs(iq2_xs_grid[word & 511], even_signs(word >> 9), code + 8 * i);
  }
}

inline void iq2_s(const uint8_t* b, int8_t* code, float* scale, float*) {
  half_scales(b + 74, half_field(b), scale);
  for (int i = 0; i < 32; ++i) {
    const int index = b[2 + i] | (b[66 + i / 4] << (8 - 2 * (i % 4)) & 0x300);
    with_signs(iq2_s_grid[static_cast<size_t>(index)], b[34 + i], code + 8 * i);
  }
}

inline void iq3_xxs(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    const uint32_t word = field32(b + 66 + 4 * g);
    scale[g] = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int l = 0; l < 8; ++l) {
      const uint32_t signs = even_signs(word >> 7 * (l / 2) & 127) >> 4 * (l % 2);
      with_signs(iq3_xxs_grid[b[2 + 8 * g + l]], signs, code + 32 * g + 4 * l);
    }
  }
}

inline void iq3_s(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    scale[g] = d * static_cast<float>(1 + 2 * (b[106 + g / 2] >> 4 * (g % 2) & 15));
    for (int l = 0; l < 8; ++l) {
      const int index = b[2 + 8 * g + l] | (b[66 + g] >> l & 1) << 8;
      with_signs(iq3_s_grid[static_cast<size_t>(index)], static_cast<uint32_t>(b[74 + 4 * g + l / 2] >> 4 * (l % 2)),
                 code + 32 * g + 4 * l);
    }
  }
}

// value = dl (grid + delta), delta = +-1/8: eight times the bracket is whole, and dl / 8 is exact.
inline void eight_with_delta(int index, bool negative, int8_t* code) {
  const uint64_t entry = iq1_grid[static_cast<size_t>(index)], low = 0x7F * ones,
                 delta = negative ? ~uint64_t{0} : ones;
  const uint64_t sums = ((entry & low) + (delta & low)) ^ ((entry ^ delta) & ~low);  // byte by byte, without carries
  std::memcpy(code, &sums, 8);
}

inline void iq1_s(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    const uint16_t word = field16(b + 34 + 2 * g);
    scale[g] = d * static_cast<float>(2 * (word >> 12 & 7) + 1) / 8;
    for (int l = 0; l < 4; ++l)
      eight_with_delta(b[2 + 4 * g + l] | (word >> 3 * l & 7) << 8, word & 0x8000, code + 32 * g + 8 * l);
  }
}

inline void iq1_m(const uint8_t* b, int8_t* code, float* scale, float*) {
  uint16_t words[4];
  for (int i = 0; i < 4; ++i) words[i] = field16(b + 48 + 2 * i);
  const float d = float_of_half(
      static_cast<uint16_t>(words[0] >> 12 | (words[1] >> 8 & 0xF0) | (words[2] >> 4 & 0xF00) | (words[3] & 0xF000)));
  for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(2 * (words[g / 4] >> 3 * (g % 4) & 7) + 1) / 8;
  for (int i = 0; i < 32; ++i) {
    const int high = b[32 + i / 2] >> 4 * (i % 2) & 15;
    eight_with_delta(b[i] | (high & 7) << 8, high & 8, code + 8 * i);
  }
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
