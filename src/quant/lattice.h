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
#include <bit>

#include "quant/bits.h"
#include "quant/grids.h"

namespace madang::lattice {

/// Seven stored sign bits; the eighth makes their number even.
inline int even_signs(uint32_t seven) { return static_cast<int>(seven | (std::popcount(seven) & 1) << 7); }

inline void eight(const uint16_t* grid, int index, int signs, int8_t* code) {
  for (int j = 0; j < 8; ++j) {
    int level = iq2_levels[grid[index] >> 2 * j & 3];
    code[j] = static_cast<int8_t>(signs >> j & 1 ? -level : level);
  }
}

inline void four(const uint16_t* grid, const int8_t* levels, int index, int signs, int8_t* code) {
  for (int j = 0; j < 4; ++j) {
    int level = levels[grid[index] >> 3 * j & 7];
    code[j] = static_cast<int8_t>(signs >> j & 1 ? -level : level);
  }
}

inline void iq2_xxs(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    const uint8_t* q = b + 2 + 8 * g;
    const uint32_t word = field32(q + 4);
    scale[g] = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
    for (int l = 0; l < 4; ++l) eight(iq2_xxs_grid, q[l], even_signs(word >> 7 * l & 127), code + 32 * g + 8 * l);
  }
}

inline void half_scales(const uint8_t* s, float d, float* scale) {
  for (int g = 0; g < 16; ++g) scale[g] = d * (0.5f + static_cast<float>(s[g / 2] >> 4 * (g % 2) & 15)) * 0.25f;
}

inline void iq2_xs(const uint8_t* b, int8_t* code, float* scale, float*) {
  half_scales(b + 66, half_field(b), scale);
  for (int i = 0; i < 32; ++i) {
    const uint16_t word = field16(b + 2 + 2 * i);
    eight(iq2_xs_grid, word & 511, even_signs(word >> 9), code + 8 * i);
  }
}

inline void iq2_s(const uint8_t* b, int8_t* code, float* scale, float*) {
  half_scales(b + 74, half_field(b), scale);
  for (int i = 0; i < 32; ++i) {
    const int index = b[2 + i] | (b[66 + i / 4] << (8 - 2 * (i % 4)) & 0x300);
    eight(iq2_s_grid, index, b[34 + i], code + 8 * i);
  }
}

inline void iq3_xxs(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    const uint32_t word = field32(b + 66 + 4 * g);
    scale[g] = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int l = 0; l < 8; ++l) {
      const int signs = even_signs(word >> 7 * (l / 2) & 127) >> 4 * (l % 2);
      four(iq3_xxs_grid, iq3_xxs_levels, b[2 + 8 * g + l], signs, code + 32 * g + 4 * l);
    }
  }
}

inline void iq3_s(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    scale[g] = d * static_cast<float>(1 + 2 * (b[106 + g / 2] >> 4 * (g % 2) & 15));
    for (int l = 0; l < 8; ++l) {
      const int index = b[2 + 8 * g + l] | (b[66 + g] >> l & 1) << 8;
      four(iq3_s_grid, iq3_s_levels, index, b[74 + 4 * g + l / 2] >> 4 * (l % 2), code + 32 * g + 4 * l);
    }
  }
}

// value = dl (grid + delta), delta = +-1/8: eight times the bracket is whole, and dl / 8 is exact.
inline void eight_with_delta(int index, bool negative, int8_t* code) {
  for (int j = 0; j < 8; ++j)
    code[j] = static_cast<int8_t>(8 * iq1_levels[iq1_grid[index] >> 2 * j & 3] + (negative ? -1 : 1));
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
  const float d = float_of_half(static_cast<uint16_t>(words[0] >> 12 | (words[1] >> 8 & 0xF0) | (words[2] >> 4 & 0xF00) | (words[3] & 0xF000)));
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

inline void iq4_xs(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b);
  for (int g = 0; g < 8; ++g) {
    const int s = (b[4 + g / 2] >> 4 * (g % 2) & 15) | (field16(b + 2) >> 2 * g & 3) << 4;
    scale[g] = d * static_cast<float>(s - 32);
    level_nibbles(b + 8 + 16 * g, iq4_levels, code + 32 * g);
  }
}

}  // namespace madang::lattice
