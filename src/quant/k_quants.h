// The k-quants: 256 weights in a block, scales themselves quantized (ggml, ggml-common.h; Kawrakow 2023).
//   Q2_K  16 x (4-bit scale, 4-bit minimum), 64 bytes of 2 bits, f16 d, f16 dmin
//   Q3_K  32 bytes of third bits, 64 bytes of 2 bits, 12 bytes of 6-bit scales (minus 32), f16 d
//   Q4_K  f16 d, f16 dmin, 12 bytes of 6-bit scales and minimums, 128 bytes of nibbles
//   Q5_K  f16 d, f16 dmin, 12 bytes, 32 bytes of fifth bits, 128 bytes of nibbles
//   Q6_K  128 bytes of low nibbles, 64 bytes of high pairs, 16 x i8 scales, f16 d
#pragma once
#include "quant/bits.h"

namespace madang::k_quants {

// Two bits of byte j of half h, plane p (of four), belong to element 128 h + 32 p + j.
template <class Code>
void two_bit_planes(const uint8_t* q, Code&& element) {
  for (int h = 0; h < 2; ++h)
    for (int p = 0; p < 4; ++p)
      for (int j = 0; j < 32; ++j) element(128 * h + 32 * p + j, q[32 * h + j] >> 2 * p & 3);
}

inline void q2_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  const float d = half_field(b + 80), dmin = half_field(b + 82);
  for (int g = 0; g < 16; ++g) {
    scale[g] = d * static_cast<float>(b[g] & 15);
    minimum[g] = dmin * static_cast<float>(b[g] >> 4);
  }
  two_bit_planes(b + 16, [&](int i, int q) { code[i] = static_cast<int8_t>(q); });
}

/// The sixteen six-bit scales of Q3_K, less 32.
inline void q3_k_scales(const uint8_t* s, float d, float* scale) {
  for (int g = 0; g < 16; ++g) {
    int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4, high = s[8 + g % 4] >> 2 * (g / 4) & 3;
    scale[g] = d * static_cast<float>((low | high << 4) - 32);
  }
}

inline void q3_k(const uint8_t* b, int8_t* code, float* scale, float*) {
  q3_k_scales(b + 96, half_field(b + 108), scale);
  // A third bit that is not set takes four away.
  two_bit_planes(b + 32, [&](int i, int q) { code[i] = static_cast<int8_t>(q - (b[i % 32] >> i / 32 & 1 ? 0 : 4)); });
}

/// The eight six-bit scales and minimums of Q4_K and Q5_K, as they are.
inline void six_bits(const uint8_t* s, uint8_t* scale, uint8_t* minimum) {
  for (int g = 0; g < 8; ++g) {
    scale[g] = static_cast<uint8_t>(g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6) << 4);
    minimum[g] = static_cast<uint8_t>(g < 4 ? s[g + 4] & 63 : (s[g + 4] >> 4) | (s[g] >> 6) << 4);
  }
}

inline void six_bit_scales(const uint8_t* s, float d, float dmin, float* scale, float* minimum) {
  uint8_t a[8], m[8];
  six_bits(s, a, m);
  for (int g = 0; g < 8; ++g)
    scale[g] = d * static_cast<float>(a[g]), minimum[g] = dmin * static_cast<float>(m[g]);
}

// Byte j of run r holds elements 64 r + j (low nibble) and 64 r + 32 + j (high).
inline void q4_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  six_bit_scales(b + 4, half_field(b), half_field(b + 2), scale, minimum);
  for (int i = 0; i < 128; ++i) {
    int at = i / 32 * 64 + i % 32;
    code[at] = static_cast<int8_t>(b[16 + i] & 15);
    code[at + 32] = static_cast<int8_t>(b[16 + i] >> 4);
  }
}

inline void q5_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  six_bit_scales(b + 4, half_field(b), half_field(b + 2), scale, minimum);
  for (int i = 0; i < 128; ++i) {
    int r = i / 32, j = i % 32, at = 64 * r + j;
    code[at] = static_cast<int8_t>((b[48 + i] & 15) | (b[16 + j] >> 2 * r & 1) << 4);
    code[at + 32] = static_cast<int8_t>((b[48 + i] >> 4) | (b[16 + j] >> (2 * r + 1) & 1) << 4);
  }
}

inline void q6_k(const uint8_t* b, int8_t* code, float* scale, float*) {
  const float d = half_field(b + 208);
  for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(static_cast<int8_t>(b[192 + g]));
  two_bit_planes(b + 128, [&](int i, int high) {
    int h = i / 128, p = i % 128 / 32, j = i % 32;
    int low = b[64 * h + 32 * (p % 2) + j] >> (p < 2 ? 0 : 4) & 15;
    code[i] = static_cast<int8_t>((low | high << 4) - 32);
  });
}

}  // namespace madang::k_quants
