// The panel vocabulary in AVX-512 with VNNI; rows and elements, eight lanes by the house's order of sums, stay AVX2's.
// To be included inside a target region only.
#pragma once
#include "kernels/x86/avx2.h"

namespace madang {
namespace {

struct Avx512Panels {
  static constexpr int lanes = 16, wide = 4;
  static constexpr int64_t reads_ahead = 0;
  template <int bits>
  static constexpr int tokens = 12;
  using F = __m512;
  using B = __m512i;

  static F zero() { return _mm512_setzero_ps(); }
  static F set(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static __mmask16 mask(int64_t n) { return static_cast<__mmask16>(n >= lanes ? 0xFFFF : (1u << n) - 1); }
  static F load_n(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static F load_half(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static B words(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static F load_u8(const uint8_t* p) { return _mm512_cvtepi32_ps(words(p)); }
  static F load_low_nibbles(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_and_si512(words(p), _mm512_set1_epi32(15)));
  }
  static F load_high_nibbles(const uint8_t* p) { return _mm512_cvtepi32_ps(_mm512_srli_epi32(words(p), 4)); }
  static F load_half_e8m0(const uint8_t* p) {
    const B e = words(p), normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    return _mm512_castsi512_ps(_mm512_mask_sllv_epi32(normal, _mm512_cmple_epi32_mask(e, _mm512_set1_epi32(1)),
                                                      _mm512_set1_epi32(0x00200000), e));
  }
  static F load_i8(const uint8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static void store_n(float* p, F x, int64_t n) { _mm512_mask_storeu_ps(p, mask(n), x); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }

  static B load_codes(const uint8_t* p) { return _mm512_loadu_si512(p); }
  static void store_codes(uint8_t* p, B x) { _mm512_storeu_si512(p, x); }
  static B low_nibbles(B x) { return _mm512_and_si512(x, _mm512_set1_epi8(15)); }
  static B high_nibbles(B x) { return _mm512_and_si512(_mm512_srli_epi16(x, 4), _mm512_set1_epi8(15)); }
  static B look_up(const uint8_t* table, B x) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), x);
  }
  static B either(B a, B b) { return _mm512_or_si512(a, b); }
  template <int at, int to, int bits>
  static B lift(B x) {
    constexpr int left = to - at;
    const B moved = left > 0 ? _mm512_slli_epi16(x, left > 0 ? left : 0) : _mm512_srli_epi16(x, left > 0 ? 0 : -left);
    return _mm512_and_si512(moved, _mm512_set1_epi8(((1 << bits) - 1) << to));
  }

  template <int bits, int shift, bool folded>
  static void numbers(const uint8_t* low, const uint8_t* high, uint16_t* to) {
    Avx2Panels::numbers<bits, shift, folded>(low, high, to);
  }
  static B entries(const uint64_t* book, const uint16_t* number) {
    const __m512i at = _mm512_cvtepu16_epi64(_mm_loadu_si128(reinterpret_cast<const __m128i*>(number)));
    return _mm512_i64gather_epi64(at, book, 8);
  }
  static B entries(const uint32_t* book, const uint16_t* number) {
    const __m512i at = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(number)));
    return _mm512_i32gather_epi32(at, book, 4);
  }
  static B negated(B x, const uint8_t* signs) {
    uint64_t set;
    std::memcpy(&set, signs, 8);
    return _mm512_mask_sub_epi8(x, set, _mm512_setzero_si512(), x);
  }
  template <int which>
  static B alternate(B a, B b) {
    return _mm512_castps_si512(
        _mm512_shuffle_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), which == 0 ? 0x88 : 0xDD));
  }
  template <int offset>
  static B plus(B x) {
    return _mm512_add_epi8(x, _mm512_set1_epi8(static_cast<char>(offset)));
  }

  static B four(const int8_t* x) {
    int32_t word;
    std::memcpy(&word, x, 4);
    return _mm512_set1_epi32(word);
  }

  template <int bits>
  struct Sum {
    B sum;

    template <int offset>
    void begin(const int32_t* less) {
      // A plain number, as the units that multiply vectors have their hands full.
      sum = _mm512_set1_epi32(offset ? Int8Rows::whole(*less) * offset : 0);
    }
    static B prepared(B codes) { return codes; }
    template <int at>
    void add(B codes, B x) {
      sum = _mm512_dpbusd_epi32(sum, codes, x);
    }
    template <int offset>
    F total(const int32_t*) const {
      return _mm512_cvtepi32_ps(sum);
    }
  };
};

}  // namespace
}  // namespace madang
