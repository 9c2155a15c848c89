// The SIMD vocabulary in plain C++: eight float lanes, 32 bytes. It is the meaning of every word; each instruction
// set has a twin of this struct (x86/avx2.cpp) with the same results bit for bit, so that kernels written over the
// vocabulary are tested on machines that lack the set.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/half.h"

namespace madang {

struct Emulated {
  struct F {
    float v[8];
  };  // eight floats
  struct I {
    int32_t v[8];
  };  // eight integers
  struct B {
    int8_t v[32];
  };  // 32 signed bytes

  template <class Op>
  static F each(Op op) {
    F y;
    for (int i = 0; i < 8; ++i) y.v[i] = op(i);
    return y;
  }
  template <class Op>
  static B each_byte(Op op) {
    B y;
    for (int i = 0; i < 32; ++i) y.v[i] = static_cast<int8_t>(op(i));
    return y;
  }

  // ---- floats
  static F zero() { return set(0); }
  static F set(float x) {
    return each([&](int) { return x; });
  }
  static F set_halves(float low, float high) {
    return each([&](int i) { return i < 4 ? low : high; });
  }
  static F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static F load_n(const float* p, int64_t n) {
    return each([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static F load_half(const uint16_t* p) {
    return each([&](int i) { return float_of_half(p[i]); });
  }
  static F load_bf16(const uint16_t* p) {
    return each([&](int i) { return float_of_bf16(p[i]); });
  }
  static float half(uint16_t h) { return float_of_half(h); }
  static F load_i8(const int8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  static void store(float* p, F x) { std::memcpy(p, x.v, sizeof x.v); }
  static void store_n(float* p, F x, int64_t n) { std::memcpy(p, x.v, static_cast<size_t>(n) * 4); }
  static F add(F a, F b) {
    return each([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(F a, F b) {
    return each([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(F a, F b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(F a, F b) {
    return each([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return each([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  static F min(F a, F b) {
    return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }  // b if unordered
  static F max(F a, F b) {
    return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F abs(F a) {
    return each([&](int i) { return std::fabs(a.v[i]); });
  }
  static F round(F a) {
    return each([&](int i) { return std::nearbyint(a.v[i]); });
  }  // to even
  static F below(F a, F b, F yes, F no) {
    return each([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
  }
  /// 2^n for whole n in -126 .. 127
  static F power_of_two(F n) {
    return each([&](int i) { return std::bit_cast<float>((static_cast<int32_t>(n.v[i]) + 127) << 23); });
  }
  /// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)): the order of every sum in the house
  static float fold(F x) { return ((x.v[0] + x.v[4]) + (x.v[2] + x.v[6])) + ((x.v[1] + x.v[5]) + (x.v[3] + x.v[7])); }

  // ---- bytes
  static B load_bytes(const void* p) {
    B y;
    std::memcpy(y.v, p, 32);
    return y;
  }
  static void store_bytes(void* p, B x) { std::memcpy(p, x.v, 32); }
  /// The low nibbles of 16 bytes, then their high nibbles.
  static B nibbles(const uint8_t* p) {
    return each_byte([&](int i) { return i < 16 ? p[i] & 15 : p[i - 16] >> 4; });
  }
  /// table[x] for bytes in 0 .. 15.
  static B look_up(const int8_t* table, B x) {
    return each_byte([&](int i) { return table[x.v[i]]; });
  }
  static B low_nibbles(B x) {
    return each_byte([&](int i) { return x.v[i] & 15; });
  }
  static B high_nibbles(B x) {
    return each_byte([&](int i) { return static_cast<uint8_t>(x.v[i]) >> 4; });
  }
  /// Two bits of every byte, from bit `at`, moved up to bit `to`.
  static B two_bits(B x, int at, int to) {
    return each_byte([&](int i) { return (static_cast<uint8_t>(x.v[i]) >> at & 3) << to; });
  }
  static B one_bit(B x, int at, int to) {
    return each_byte([&](int i) { return (static_cast<uint8_t>(x.v[i]) >> at & 1) << to; });
  }
  /// Bit i of the word as byte i: `value` or 0.
  static B spread_bits(uint32_t bits, int8_t value) {
    return each_byte([&](int i) { return bits >> i & 1 ? value : 0; });
  }
  static B either(B a, B b) {
    return each_byte([&](int i) { return a.v[i] | b.v[i]; });
  }
  static B minus(B a, int8_t b) {
    return each_byte([&](int i) { return a.v[i] - b; });
  }
  /// Lane i: the sum of a[4i + j] * b[4i + j]. b must not be -128.
  static I dot(B a, B b) {
    I y;
    for (int i = 0; i < 8; ++i) {
      y.v[i] = 0;
      for (int j = 4 * i; j < 4 * i + 4; ++j) y.v[i] += a.v[j] * b.v[j];
    }
    return y;
  }
  /// The same for a without negative values and pair sums within 16 bits (codes up to 127).
  static I dot_unsigned(B a, B b) { return dot(a, b); }
  static F to_float(I x) {
    return each([&](int i) { return static_cast<float>(x.v[i]); });
  }
  /// Four times eight whole floats within -127 .. 127 as 32 bytes.
  static B pack(F a, F b, F c, F d) {
    const F* in[] = {&a, &b, &c, &d};
    return each_byte([&](int i) { return static_cast<int>(in[i / 8]->v[i % 8]); });
  }
  /// The sums of bytes 0..15 and 16..31.
  static void half_sums(B x, int32_t out[2]) {
    out[0] = out[1] = 0;
    for (int i = 0; i < 32; ++i) out[i / 16] += x.v[i];
  }
};

}  // namespace madang
