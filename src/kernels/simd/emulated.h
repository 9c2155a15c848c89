// The SIMD vocabulary in plain C++: eight float lanes, 32 bytes. It is the meaning of every word; each instruction
// set has a twin of this struct (x86/avx2.cpp) with the same results bit for bit, so that kernels written over the
// vocabulary are tested on machines that lack the set.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/table.h"
#include "quant/bits.h"
#include "quant/small_floats.h"
#include "tensor/half.h"

namespace madang {

struct Emulated {
  struct F {
    float v[8];
  };  // eight floats
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
  static F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static F load_n(const float* p, int64_t n) {
    return each([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static F load_half(const uint16_t* p) {
    return each([&](int i) { return float_of_half(p[i]); });
  }
  static void store_half(uint16_t* p, F x) {
    for (int i = 0; i < 8; ++i) p[i] = half_of_float(x.v[i]);
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
  /// out[i * out_stride + j] = in[j * in_stride + i], i and j below eight.
  static void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
    for (int i = 0; i < 8; ++i)
      for (int j = 0; j < 8; ++j) out[i * out_stride + j] = in[j * in_stride + i];
  }
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
  static F look_up_floats(const float* table, const int8_t* codes) {
    return each([&](int i) { return table[codes[i]]; });
  }
  static F load_e4m3(const uint8_t* p) {
    return each([&](int i) { return float_of_e4m3(p[i]); });
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
  /// Four times eight whole floats within -127 .. 127 as 32 bytes.
  static B pack(F a, F b, F c, F d) {
    const F* in[] = {&a, &b, &c, &d};
    return each_byte([&](int i) { return static_cast<int>(in[i / 8]->v[i % 8]); });
  }
  /// Of bytes 0..15 and 16..31 the sums of the first two of every four, and of the last two.
  static void pair_sums(B x, int16_t out[2][2]) {
    std::memset(out, 0, 4 * sizeof(int16_t));
    for (int i = 0; i < 32; ++i) out[i / 16][i % 4 / 2] += x.v[i];
  }
};

/// The panel vocabulary in plain C++, sixteen rows to a register.
struct EmulatedPanels {
  static constexpr int lanes = 16, wide = 4;  // wide: registers of a row in products of floats
  static constexpr int64_t reads_ahead = 64;  // of packed weights, by fetch(); 0: the processor does it
  static void fetch(const void*) {}
  static void turn(const uint8_t* const (&lines)[16], uint8_t* to) {
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 16; ++j) std::memcpy(to + 64 * j + 4 * i, lines[i] + 4 * j, 4);
  }
  /// Tokens of a tile, for codes of so many bits.
  template <int bits>
  static constexpr int tokens = 12;
  struct F {
    float v[lanes];
  };
  struct B {
    uint8_t v[4 * lanes];
  };

  template <class Op>
  static F each(Op op) {
    F y;
    for (int i = 0; i < lanes; ++i) y.v[i] = op(i);
    return y;
  }
  template <class Op>
  static B each_byte(Op op) {
    B y;
    for (int i = 0; i < 4 * lanes; ++i) y.v[i] = static_cast<uint8_t>(op(i));
    return y;
  }

  // ---- scales and accumulators
  static F zero() { return set(0); }
  static F set(float x) {
    return each([&](int) { return x; });
  }
  static F load(const float* p) {
    return each([&](int i) { return p[i]; });
  }
  static F load_n(const float* p, int64_t n) {
    return each([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static void store(float* p, F x) { std::memcpy(p, x.v, sizeof x.v); }
  static F load_half(const uint8_t* p) {
    return each([&](int i) { return half_field(p + 2 * i); });
  }
  static F load_u8(const uint8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  static F load_i8(const uint8_t* p) {
    return each([&](int i) { return static_cast<float>(static_cast<int8_t>(p[i])); });
  }
  static F load_low_nibbles(const uint8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i] & 15); });
  }
  static F load_high_nibbles(const uint8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i] >> 4); });
  }
  /// 2^(e - 128)
  static F load_half_e8m0(const uint8_t* p) {
    return each([&](int i) { return small_floats::half_e8m0(p[i]); });
  }
  static void store_n(float* p, F x, int64_t n) { std::memcpy(p, x.v, static_cast<size_t>(n < lanes ? n : lanes) * 4); }
  static F mul(F a, F b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return each([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }

  // ---- codes
  static B load_codes(const uint8_t* p) {
    B y;
    std::memcpy(y.v, p, sizeof y.v);
    return y;
  }
  static void store_codes(uint8_t* p, B x) { std::memcpy(p, x.v, sizeof x.v); }
  static B low_nibbles(B x) {
    return each_byte([&](int i) { return x.v[i] & 15; });
  }
  static B high_nibbles(B x) {
    return each_byte([&](int i) { return x.v[i] >> 4; });
  }
  static B either(B a, B b) {
    return each_byte([&](int i) { return a.v[i] | b.v[i]; });
  }
  /// `bits` bits of every byte from bit `at` on, moved to begin at bit `to`.
  template <int at, int to, int bits>
  static B lift(B x) {
    return each_byte([&](int i) { return (x.v[i] >> at & ((1 << bits) - 1)) << to; });
  }
  static B look_up(const uint8_t* table, B x) {
    return each_byte([&](int i) { return table[x.v[i]]; });
  }

  // ---- entries of code books
  /// The numbers of sixteen entries: to[i] = low[i], above it `bits` bits of high from bit `shift` on; `folded`: of
  /// high[i] for the first eight, of the bits above those in high[i - 8] for the others.
  template <int bits, int shift, bool folded>
  static void numbers(const uint8_t* low, const uint8_t* high, uint16_t* to) {
    for (int i = 0; i < 16; ++i) {
      const int all = bits == 0 ? 0 : folded ? high[i % 8] >> bits * (i / 8) : high[i];
      to[i] = static_cast<uint16_t>(low[i] | (all >> shift & ((1 << bits) - 1)) << 8);
    }
  }
  /// As many entries as a register holds.
  template <class Entry>
  static B entries(const Entry* book, const uint16_t* number) {
    B y;
    for (size_t i = 0; i < sizeof y.v / sizeof(Entry); ++i)
      std::memcpy(y.v + i * sizeof(Entry), book + number[i], sizeof(Entry));
    return y;
  }
  /// Byte i negated if bit i of `signs` is set.
  static B negated(B x, const uint8_t* signs) {
    return each_byte([&](int i) { return signs[i / 8] >> i % 8 & 1 ? -x.v[i] : x.v[i]; });
  }
  /// Of sixteen bytes each: the even (which = 0) or odd (1) fours of a, then those of b.
  template <int which>
  static B alternate(B a, B b) {
    return each_byte([&](int i) {
      const int at = i / 16 * 16 + i % 8 / 4 * 8 + 4 * which + i % 4;
      return i % 16 < 8 ? a.v[at] : b.v[at];
    });
  }
  template <int offset>
  static B plus(B x) {
    return each_byte([&](int i) { return x.v[i] + offset; });
  }

  // ---- integer sums
  /// Four codes of one token, in every lane.
  static B four(const int8_t* x) {
    return each_byte([&](int i) { return x[i % 4]; });
  }

  /// The sum over a group of products of codes, each below 2^bits, with those of a token; lane i has row i. `less` is
  /// Int8Rows': with minus the sums of the token's codes the codes' offset can be taken away, at the begin or in the
  /// total, as suits the instruction set. A group has eight quads or four; of 6 bits, four.
  template <int bits>
  struct Sum {
    int32_t v[lanes];

    template <int offset>
    void begin(const int32_t* less) {
      for (int32_t& sum : v) sum = Int8Rows::whole(*less) * offset;
    }
    /// Codes as add() takes them.
    static B prepared(B codes) { return codes; }
    /// Lane i gains the products of codes 4i .. 4i + 3 with the four of x: the quad `at` of this sum.
    template <int at>
    void add(B codes, B x) {
      for (int i = 0; i < 4 * lanes; ++i) v[i / 4] += codes.v[i] * static_cast<int8_t>(x.v[i]);
    }
    template <int offset>
    F total(const int32_t*) const {
      return each([&](int i) { return static_cast<float>(v[i]); });
    }
  };
};

}  // namespace madang
