// The encoders behind encode(): one block each, x and w of format.block values.
#pragma once
#include <cstdint>

#include "tensor/half.h"

namespace madang {

using EncodeBlock = void (*)(const float* x, const float* w, uint8_t* block);

namespace encoders {
// Simple formats (encode_simple.cpp).
void q4_0(const float* x, const float* w, uint8_t* b);
void q4_1(const float* x, const float* w, uint8_t* b);
void q5_0(const float* x, const float* w, uint8_t* b);
void q5_1(const float* x, const float* w, uint8_t* b);
void q8_0(const float* x, const float* w, uint8_t* b);
void q1_0(const float* x, const float* w, uint8_t* b);
void q2_0(const float* x, const float* w, uint8_t* b);
void iq4_nl(const float* x, const float* w, uint8_t* b);
void tq1_0(const float* x, const float* w, uint8_t* b);
void tq2_0(const float* x, const float* w, uint8_t* b);
void mxfp4(const float* x, const float* w, uint8_t* b);
void nvfp4(const float* x, const float* w, uint8_t* b);
// k-quants and IQ4_XS (encode_super.cpp).
void q2_k(const float* x, const float* w, uint8_t* b);
void q3_k(const float* x, const float* w, uint8_t* b);
void q4_k(const float* x, const float* w, uint8_t* b);
void q5_k(const float* x, const float* w, uint8_t* b);
void q6_k(const float* x, const float* w, uint8_t* b);
void iq4_xs(const float* x, const float* w, uint8_t* b);
// Code books (encode_lattice.cpp).
void iq2_xxs(const float* x, const float* w, uint8_t* b);
void iq2_xs(const float* x, const float* w, uint8_t* b);
void iq2_s(const float* x, const float* w, uint8_t* b);
void iq3_xxs(const float* x, const float* w, uint8_t* b);
void iq3_s(const float* x, const float* w, uint8_t* b);
void iq1_s(const float* x, const float* w, uint8_t* b);
void iq1_m(const float* x, const float* w, uint8_t* b);
}  // namespace encoders

inline void put16(uint8_t* p, uint16_t v) { p[0] = static_cast<uint8_t>(v), p[1] = static_cast<uint8_t>(v >> 8); }

/// Writes a float as float16 and returns what a reader will see. Beyond float16's range the largest finite is taken.
inline float put_half(uint8_t* p, float v) {
  const uint16_t h = half_of_float(v > 65504.0f ? 65504.0f : v < -65504.0f ? -65504.0f : v);
  put16(p, h);
  return float_of_half(h);
}

}  // namespace madang
