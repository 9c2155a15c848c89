// The simple formats: one scale, perhaps one minimum, and codes in order (ggml, ggml-common.h and ggml-quants.c).
//   Q4_0  f16 d, 16 bytes          (q - 8) d       low nibbles are elements 0..15, high ones 16..31
//   Q4_1  f16 d, f16 m, 16 bytes   q d + m
//   Q5_0  f16 d, u32 fifth bits, 16 bytes          (q - 16) d
//   Q5_1  f16 d, f16 m, u32 fifth bits, 16 bytes   q d + m
//   Q8_0  f16 d, 32 x i8           q d
//   Q1_0  f16 d, 16 bytes          128 bits: d or -d
//   Q2_0  f16 d, 16 bytes          64 x 2 bits: (q - 1) d
#pragma once
#include "quant/bits.h"

namespace madang::legacy {

inline void nibbles(const uint8_t* p, int bias, int8_t* code) {
  for (int i = 0; i < 16; ++i) {
    code[i] = static_cast<int8_t>((p[i] & 15) - bias);
    code[i + 16] = static_cast<int8_t>((p[i] >> 4) - bias);
  }
}

inline void fifth_bits(uint32_t bits, int8_t* code) {
  for (int i = 0; i < 32; ++i) code[i] = static_cast<int8_t>(code[i] + static_cast<int>(bits >> i & 1) * 16);
}

inline void q4_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = half_field(b);
  nibbles(b + 2, 8, code);
}

inline void q4_1(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  *scale = half_field(b), *minimum = -half_field(b + 2);
  nibbles(b + 4, 0, code);
}

inline void q5_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = half_field(b);
  nibbles(b + 6, 16, code);
  fifth_bits(field32(b + 2), code);
}

inline void q5_1(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  *scale = half_field(b), *minimum = -half_field(b + 2);
  nibbles(b + 8, 0, code);
  fifth_bits(field32(b + 4), code);
}

inline void q8_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = half_field(b);
  std::memcpy(code, b + 2, 32);
}

inline void q1_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  for (int g = 0; g < 4; ++g) scale[g] = half_field(b);
  for (int i = 0; i < 128; ++i) code[i] = b[2 + i / 8] >> i % 8 & 1 ? 1 : -1;
}

inline void q2_0(const uint8_t* b, int8_t* code, float* scale, float*) {
  for (int g = 0; g < 2; ++g) scale[g] = half_field(b);
  for (int i = 0; i < 64; ++i) code[i] = static_cast<int8_t>((b[2 + i / 4] >> 2 * (i % 4) & 3) - 1);
}

}  // namespace madang::legacy
