// Ternary and four-bit floating point.
//   TQ1_0  48 + 4 bytes of base-3 digits (five and four in a byte, top digit first), f16 d:  (digit - 1) d
//   TQ2_0  64 bytes of 2 bits, f16 d:  (q - 1) d
//   MXFP4  e8m0 exponent, 16 bytes of e2m1 (OCP Microscaling 1.0); the level table is doubled, so the scale is 2^(e -
//   128) NVFP4  four unsigned e4m3 scales, one for 16 weights, 32 bytes of e2m1; no tensor-wide scale in the block
#pragma once
#include <bit>

#include "quant/bits.h"

namespace madang::small_floats {

/// Digit n of a byte that holds base-3 digits as a fraction of 256: multiply by 3^n (mod 256), the digit overflows.
inline int ternary_digit(uint8_t byte, int n) {
  static constexpr uint8_t powers[5] = {1, 3, 9, 27, 81};
  return static_cast<uint8_t>(byte * powers[n]) * 3 >> 8;
}

inline void tq1_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  for (int g = 0; g < 8; ++g) scale[g] = half_field(b + 52);
  auto run = [&](const uint8_t* bytes, int count, int digits) {
    for (int n = 0; n < digits; ++n)
      for (int j = 0; j < count; ++j) *code++ = static_cast<int8_t>(ternary_digit(bytes[j], n) - 1);
  };
  run(b, 32, 5), run(b + 32, 16, 5), run(b + 48, 4, 4);
}

inline void tq2_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  for (int g = 0; g < 8; ++g) scale[g] = half_field(b + 64);
  for (int i = 0; i < 256; ++i) code[i] = static_cast<int8_t>((b[i / 128 * 32 + i % 32] >> 2 * (i % 128 / 32) & 3) - 1);
}

inline constexpr int8_t e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// 2^(e - 128), e8m0 halved for the doubled levels; exponents 0 and 1 are subnormal.
inline float half_e8m0(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

inline void mxfp4(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = half_e8m0(b[0]);
  for (int i = 0; i < 16; ++i) code[i] = e2m1_doubled[b[1 + i] & 15], code[i + 16] = e2m1_doubled[b[1 + i] >> 4];
}

/// Unsigned e4m3 as ggml reads it, halved for the doubled levels: the top bit is ignored, 0x7F alone stands for zero.
inline float half_ue4m3(uint8_t b) {
  const int exponent = b >> 3 & 15, fraction = b & 7;
  if (b == 0x7F) return 0;
  return exponent == 0 ? static_cast<float>(fraction) * 0x1p-10f
                       : std::bit_cast<float>(static_cast<uint32_t>(exponent + 119) << 23 |
                                              static_cast<uint32_t>(fraction) << 20);
}

inline void nvfp4(const uint8_t* b, int8_t* code, float* scale, float*) {
  for (int g = 0; g < 4; ++g) {
    scale[g] = half_ue4m3(b[g]);
    const uint8_t* q = b + 4 + 8 * g;
    for (int i = 0; i < 8; ++i)
      code[16 * g + i] = e2m1_doubled[q[i] & 15], code[16 * g + 8 + i] = e2m1_doubled[q[i] >> 4];
  }
}

}  // namespace madang::small_floats
