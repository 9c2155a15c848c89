// Formats of memory only: rows made, when a checkpoint is opened, from those that keep codes, scales and zero points in
// tensors apart (GPTQ, AWQ, bitsandbytes, compressed-tensors, fp8; see store/scheme.h). All have blocks of 32, little
// endian, nibbles as Q4_0 has them (low ones are elements 0 .. 15, high ones 16 .. 31):
//   INT4_F16   f16 scale, u8 zero, 16 bytes of nibbles                scale (q - zero)
//   INT4       f32 scale, u8 zero, 16 bytes of nibbles                scale (q - zero)
//   INT8       f32 scale, 32 x i8                                     scale q
//   INT8_ZERO  f32 scale, i16 zero, 32 x u8                           scale (q - zero)
//   NF4, FP4   f32 scale, 16 bytes of nibbles into sixteen levels     level scale      (QLoRA, Dettmers et al. 2023)
//   FP8_E4M3   f32 scale, 32 x e4m3 (OCP 8-bit floating point)        e4m3 scale
//   FP4_E2M1   two f32 scales, one for 16, 16 bytes of e2m1           e2m1 scale       (NVFP4 in compressed-tensors)
//
// decode() gives what the schemes' own libraries compute in float32, with one rounding. codes() is what the integer
// kernels take: the same numbers for the integers (save the last bit of INT8_ZERO's and INT4's minimums); of NF4, FP4
// and FP8_E4M3 the nearest of 255 steps, as Q8_0 would round them.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>

#include "quant/bits.h"
#include "quant/small_floats.h"

namespace madang::grouped {

/// Ids below those of GGUF (Format::gguf_type).
enum Id : int {
  int4_f16_id = -2,
  int4_id = -3,
  int8_id = -4,
  int8_zero_id = -5,
  nf4_id = -6,
  fp4_id = -7,
  fp8_id = -8,
  fp4_e2m1_id = -9,
};

inline constexpr int block = 32;

inline float float_field(const uint8_t* p) { return std::bit_cast<float>(field32(p)); }

/// put(i, code) for each element of a block's nibbles.
template <class Put>
void nibbles(const uint8_t* p, Put&& put) {
  for (int i = 0; i < 16; ++i) put(i, p[i] & 15);
  for (int i = 0; i < 16; ++i) put(i + 16, p[i] >> 4);
}

// ---- integers with a zero point; `half`: the scale is float16
template <bool half>
void int4(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  constexpr int at = half ? 2 : 4;
  *scale = half ? half_field(b) : float_field(b);
  *minimum = *scale * static_cast<float>(b[at]);
  nibbles(b + at + 1, [=](int i, int q) { code[i] = static_cast<int8_t>(q); });
}

template <bool half>
void decode_int4(const uint8_t* b, float* values) {
  constexpr int at = half ? 2 : 4;
  const float scale = half ? half_field(b) : float_field(b);
  const int zero = b[at];
  nibbles(b + at + 1, [=](int i, int q) { values[i] = scale * static_cast<float>(q - zero); });
}

inline void int8(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = float_field(b);
  std::memcpy(code, b + 4, block);
}

inline void decode_int8(const uint8_t* b, float* values) {
  const float scale = float_field(b);
  for (int i = 0; i < block; ++i) values[i] = scale * static_cast<float>(static_cast<int8_t>(b[4 + i]));
}

inline int zero_of_int8(const uint8_t* b) { return static_cast<int16_t>(field16(b + 4)); }

inline void int8_zero(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
  *scale = float_field(b);
  *minimum = *scale * static_cast<float>(zero_of_int8(b) - 128);
  for (int i = 0; i < block; ++i) code[i] = static_cast<int8_t>(b[6 + i] - 128);
}

inline void decode_int8_zero(const uint8_t* b, float* values) {
  const float scale = float_field(b);
  const int zero = zero_of_int8(b);
  for (int i = 0; i < block; ++i) values[i] = scale * static_cast<float>(b[6 + i] - zero);
}

// ---- sixteen levels (bitsandbytes, csrc/cpu_ops.cpp; functional.py, get_4bit_type)
inline constexpr float nf4_levels[16] = {-1.0f,
                                         -0.6961928009986877f,
                                         -0.5250730514526367f,
                                         -0.39491748809814453f,
                                         -0.28444138169288635f,
                                         -0.18477343022823334f,
                                         -0.09105003625154495f,
                                         0.0f,
                                         0.07958029955625534f,
                                         0.16093020141124725f,
                                         0.24611230194568634f,
                                         0.33791524171829224f,
                                         0.44070982933044434f,
                                         0.5626170039176941f,
                                         0.7229568362236023f,
                                         1.0f};
inline constexpr float fp4_levels[16] = {0.0f,
                                         0.0052083334885537624f,
                                         0.6666666865348816f,
                                         1.0f,
                                         0.3333333432674408f,
                                         0.5f,
                                         0.1666666716337204f,
                                         0.25f,
                                         0.0f,
                                         -0.0052083334885537624f,
                                         -0.6666666865348816f,
                                         -1.0f,
                                         -0.3333333432674408f,
                                         -0.5f,
                                         -0.1666666716337204f,
                                         -0.25f};

/// How many steps the largest level has in codes(): of all that a byte can hold those on which the levels fall best.
/// NF4: 112 leaves 0.17 percent of the largest (root of the mean square; 127 leaves 0.22). FP4: 120, of which all
/// levels but the smallest are whole multiples.
inline constexpr float nf4_steps = 112, fp4_steps = 120;

constexpr std::array<int8_t, 16> level_codes(const float (&levels)[16], float steps) {
  std::array<int8_t, 16> codes{};
  for (size_t i = 0; i < 16; ++i) codes[i] = static_cast<int8_t>(levels[i] * steps + (levels[i] < 0 ? -0.5f : 0.5f));
  return codes;
}
inline constexpr std::array<int8_t, 16> nf4_codes = level_codes(nf4_levels, nf4_steps),
                                        fp4_codes = level_codes(fp4_levels, fp4_steps);

template <const std::array<int8_t, 16>& codes, const float& steps>
void level4(const uint8_t* b, int8_t* code, float* scale, float*) {
  *scale = float_field(b) / steps;
  nibbles(b + 4, [=](int i, int q) { code[i] = codes[static_cast<size_t>(q)]; });
}

template <const float (&levels)[16]>
void decode_level4(const uint8_t* b, float* values) {
  const float scale = float_field(b);
  nibbles(b + 4, [=](int i, int q) { values[i] = levels[q] * scale; });
}

// ---- floating point of eight and four bits
inline const std::array<float, 256> e4m3_values = [] {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = float_of_e4m3(static_cast<uint8_t>(i));
  return values;
}();

inline void decode_fp8(const uint8_t* b, float* values) {
  const float scale = float_field(b);
  for (int i = 0; i < block; ++i) values[i] = e4m3_values[b[4 + i]] * scale;
}

/// A group's largest becomes 127. Not a number stays none, in the scale.
inline void fp8(const uint8_t* b, int8_t* code, float* scale, float*) {
  float values[block], largest = 0;
  bool numbers = true;
  for (int i = 0; i < block; ++i) {
    values[i] = e4m3_values[b[4 + i]];
    numbers &= values[i] == values[i];
    largest = std::max(largest, std::fabs(values[i]));
  }
  *scale = numbers ? float_field(b) * (largest / 127) : std::bit_cast<float>(0x7FC00000u);
  const float steps = numbers && largest > 0 ? 127 / largest : 0;
  for (int i = 0; i < block; ++i) code[i] = static_cast<int8_t>(numbers ? std::nearbyint(values[i] * steps) : 0);
}

inline void fp4_e2m1(const uint8_t* b, int8_t* code, float* scale, float*) {
  for (int g = 0; g < 2; ++g) scale[g] = float_field(b + 4 * g) / 2;
  nibbles(b + 8, [=](int i, int q) { code[i] = small_floats::e2m1_doubled[q]; });
}

inline void decode_fp4_e2m1(const uint8_t* b, float* values) {
  const float scale[] = {float_field(b), float_field(b + 4)};
  nibbles(b + 8,
          [&](int i, int q) { values[i] = static_cast<float>(small_floats::e2m1_doubled[q]) / 2 * scale[i / 16]; });
}

}  // namespace madang::grouped
