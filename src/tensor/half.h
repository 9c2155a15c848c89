// float16, bfloat16 and float8 to float32 and back, bit by bit, rounding to nearest even. The meaning; vector
// kernels have the processor's own instructions and are tested against these.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

namespace madang {

inline float float_of_half(uint16_t h) {  // IEEE 754 binary16, subnormals kept
  uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  if (exponent == 0) {
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

inline uint16_t half_of_float(float f) {
  uint32_t bits = std::bit_cast<uint32_t>(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return static_cast<uint16_t>(sign | 0x7E00);   // NaN
  if (magnitude >= 0x477FF000) return static_cast<uint16_t>(sign | 0x7C00);  // rounds to infinity
  if (magnitude < 0x38800000) {                                              // subnormal: units of 2^-24
    float scaled = std::bit_cast<float>(magnitude) + 0.5f;                   // adds in units of 2^-24, rounds to even
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(scaled) - 0x3F000000u));
  }
  uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

inline float float_of_bf16(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

inline uint16_t bf16_of_float(float f) {
  uint32_t bits = std::bit_cast<uint32_t>(f);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return static_cast<uint16_t>(bits >> 16 | 64);  // keep NaN a NaN
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// OCP 8-bit floating point, E4M3 (no infinity, 0x7F is NaN).
inline float float_of_e4m3(uint8_t b) {
  uint32_t exponent = b >> 3 & 15, fraction = b & 7;
  float magnitude = exponent == 0        ? static_cast<float>(fraction) * 0x1p-9f
                    : (b & 0x7F) == 0x7F ? std::bit_cast<float>(0x7FC00000u)
                                         : std::bit_cast<float>((exponent + 120) << 23 | fraction << 20);
  return b & 0x80 ? -magnitude : magnitude;
}

}  // namespace madang
