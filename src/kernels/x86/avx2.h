// The SIMD vocabulary in AVX2, FMA and F16C intrinsics. To be included inside a target region only: each instruction
// set that is a superset has its own copy.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace madang {
namespace {

// Each word means what its namesake in simd/emulated.h does.
struct Avx2 {
  using F = __m256;
  using B = __m256i;

  static F zero() { return _mm256_setzero_ps(); }
  static F set(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static __m256i mask(int64_t n) {
    static const int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes + 8 - (n < 8 ? n : 8)));
  }
  static F load_n(const float* p, int64_t n) { return n >= 8 ? load(p) : _mm256_maskload_ps(p, mask(n)); }
  static F load_half(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_half(uint16_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static F load_bf16(const uint16_t* p) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
  }
  static float half(uint16_t h) { return _cvtsh_ss(h); }
  static F load_i8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static void store_n(float* p, F x, int64_t n) { n >= 8 ? store(p, x) : _mm256_maskstore_ps(p, mask(n), x); }
  static void transpose(const float* in, int64_t in_stride, float* out, int64_t out_stride) {
    F row[8], pair[8], four[8];
    for (int i = 0; i < 8; ++i) row[i] = load(in + i * in_stride);
    for (int i = 0; i < 8; i += 2)
      pair[i] = _mm256_unpacklo_ps(row[i], row[i + 1]), pair[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
    for (int i = 0; i < 8; i += 4)
      for (int j = 0; j < 2; ++j) {
        four[i + 2 * j] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0x44);
        four[i + 2 * j + 1] = _mm256_shuffle_ps(pair[i + j], pair[i + j + 2], 0xEE);
      }
    for (int i = 0; i < 4; ++i) {
      store(out + i * out_stride, _mm256_permute2f128_ps(four[i], four[i + 4], 0x20));
      store(out + (i + 4) * out_stride, _mm256_permute2f128_ps(four[i], four[i + 4], 0x31));
    }
  }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F min(F a, F b) { return _mm256_min_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
  static F round(F a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F below(F a, F b, F yes, F no) { return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
  static F power_of_two(F n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  static float fold(F x) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  }

  static B load_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static void store_bytes(void* p, B x) { _mm256_storeu_si256(static_cast<__m256i*>(p), x); }
  static B nibbles(const uint8_t* p) {
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(x, 4), x), _mm256_set1_epi8(15));
  }
  static B look_up(const int8_t* table, B x) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))),
                               x);
  }
  static F look_up_floats(const float* table, const int8_t* codes) {  // eight codes below 16
    const B at = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(load(table), at), _mm256_permutevar8x32_ps(load(table + 8), at),
                            _mm256_castsi256_ps(_mm256_slli_epi32(at, 28)));  // by bit 3
  }
  static F load_e4m3(const uint8_t* p) {
    // Sign, exponent and fraction moved to where float32 has them: 2^120 times too small, subnormals too.
    const B x = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const B moved = _mm256_and_si256(_mm256_slli_epi32(x, 20), _mm256_set1_epi32(static_cast<int>(0x87F00000u)));
    const B all = _mm256_set1_epi32(0x7F), none = _mm256_cmpeq_epi32(_mm256_and_si256(x, all), all);  // not a number
    return _mm256_or_ps(_mm256_mul_ps(_mm256_castsi256_ps(moved), set(0x1p120f)),
                        _mm256_castsi256_ps(_mm256_and_si256(none, _mm256_set1_epi32(0x7FC00000))));
  }
  static B low_nibbles(B x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static B high_nibbles(B x) { return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15)); }
  static B move_bits(B x, int at, int to, int bits) {
    const B low = _mm256_and_si256(_mm256_srli_epi16(x, at), _mm256_set1_epi8(static_cast<char>(bits)));
    return _mm256_slli_epi16(low, to);
  }
  static B two_bits(B x, int at, int to) { return move_bits(x, at, to, 3); }
  static B one_bit(B x, int at, int to) { return move_bits(x, at, to, 1); }
  static B spread_bits(uint32_t bits, int8_t value) {
    // Byte i takes byte i / 8 of the word and keeps bit i % 8.
    const B spread =
        _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)),
                            _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    const B bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201u));
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit), _mm256_set1_epi8(value));
  }
  static B either(B a, B b) { return _mm256_or_si256(a, b); }
  static B minus(B a, int8_t b) { return _mm256_sub_epi8(a, _mm256_set1_epi8(b)); }
  static B pack(F a, F b, F c, F d) {
    const __m256i ab = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
    const __m256i cd = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
    // The packs work within halves: put the dwords back in order.
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(ab, cd), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  }
  static void pair_sums(B x, int16_t out[2][2]) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), x);  // of each half four times both
    const __m256i two = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4E));
    const __m256i one = _mm256_add_epi16(two, _mm256_shuffle_epi32(two, 0xB1));
    const int32_t low = _mm256_cvtsi256_si32(one), high = _mm256_extract_epi32(one, 4);
    std::memcpy(out[0], &low, 4), std::memcpy(out[1], &high, 4);
  }
};

// The panel vocabulary without VNNI: products of unsigned and signed bytes are added in pairs into 16 bits, and there
// over all quads of a group. Codes below 2^4 fit (eight quads: 8 * 2 * 15 * 127 = 30480). Wider ones do not, but with
// their middle taken away the sum does: 8 * 2 * 16 * 127 = 32512 for codes below 2^5, and for those below 2^6, whose
// groups have four quads, 4 * 2 * 32 * 127, the same. So their sums begin with minus the middle times the token's sums
// and wrap around on their way as they like: only the end must fit.
struct Avx2Panels {
  static constexpr int lanes = 8, wide = 2;
  static constexpr int64_t reads_ahead = 0;
  template <int bits>
  static constexpr int tokens = bits > 6 ? 4 : 6;
  using F = __m256;
  using B = __m256i;

  static F zero() { return _mm256_setzero_ps(); }
  static F set(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static F load_n(const float* p, int64_t n) { return Avx2::load_n(p, n); }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static F load_half(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static B words(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static F load_u8(const uint8_t* p) { return _mm256_cvtepi32_ps(words(p)); }
  static F load_low_nibbles(const uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_and_si256(words(p), _mm256_set1_epi32(15)));
  }
  static F load_high_nibbles(const uint8_t* p) { return _mm256_cvtepi32_ps(_mm256_srli_epi32(words(p), 4)); }
  static F load_half_e8m0(const uint8_t* p) {
    const B e = words(p), normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const B subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(subnormal, normal, _mm256_cmpgt_epi32(e, _mm256_set1_epi32(1))));
  }
  static F load_i8(const uint8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  static void store_n(float* p, F x, int64_t n) { Avx2::store_n(p, x, n); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }

  static B load_codes(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store_codes(uint8_t* p, B x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
  static B low_nibbles(B x) { return _mm256_and_si256(x, _mm256_set1_epi8(15)); }
  static B high_nibbles(B x) { return _mm256_and_si256(_mm256_srli_epi16(x, 4), _mm256_set1_epi8(15)); }
  static B look_up(const uint8_t* table, B x) { return Avx2::look_up(reinterpret_cast<const int8_t*>(table), x); }
  static B either(B a, B b) { return _mm256_or_si256(a, b); }
  template <int at, int to, int bits>
  static B lift(B x) {
    constexpr int left = to - at;
    const B moved = left > 0 ? _mm256_slli_epi16(x, left > 0 ? left : 0) : _mm256_srli_epi16(x, left > 0 ? 0 : -left);
    return _mm256_and_si256(moved, _mm256_set1_epi8(((1 << bits) - 1) << to));
  }

  template <int bits, int shift, bool folded>
  static void numbers(const uint8_t* low, const uint8_t* high, uint16_t* to) {
    auto sixteen = [](const uint8_t* p) {
      return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    };
    auto add = [](B number, B more) {
      const B wanted = _mm256_set1_epi16(static_cast<int16_t>(((1 << bits) - 1) << 8));
      return _mm256_or_si256(number, _mm256_and_si256(_mm256_slli_epi16(more, 8 - shift), wanted));
    };
    B number = sixteen(low);
    if constexpr (folded) {
      const __m128i eight = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(high)));
      number = add(number, _mm256_set_m128i(_mm_srli_epi16(eight, bits), eight));
    } else if constexpr (bits > 0) {
      number = add(number, sixteen(high));
    }
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), number);
  }
  static B entries(const uint64_t* book, const uint16_t* number) {
    auto two = [&](int i) {
      const auto at = [&](int j) { return reinterpret_cast<const double*>(book + number[j]); };
      return _mm_castpd_si128(_mm_loadh_pd(_mm_load_sd(at(i)), at(i + 1)));
    };
    return _mm256_set_m128i(two(2), two(0));
  }
  static B entries(const uint32_t* book, const uint16_t* number) {
    auto four = [&](int i) {
      const auto one = [&](int j) { return _mm_loadu_si32(book + number[i + j]); };
      return _mm_unpacklo_epi64(_mm_unpacklo_epi32(one(0), one(1)), _mm_unpacklo_epi32(one(2), one(3)));
    };
    return _mm256_set_m128i(four(4), four(0));
  }
  static B negated(B x, const uint8_t* signs) {
    int32_t word;
    std::memcpy(&word, signs, 4);
    const B set = Avx2::spread_bits(static_cast<uint32_t>(word), -1);
    return _mm256_sub_epi8(_mm256_xor_si256(x, set), set);
  }
  template <int which>
  static B alternate(B a, B b) {
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), which == 0 ? 0x88 : 0xDD));
  }
  template <int offset>
  static B plus(B x) {
    return _mm256_add_epi8(x, _mm256_set1_epi8(static_cast<char>(offset)));
  }

  static B four(const int8_t* x) {
    int32_t word;
    std::memcpy(&word, x, 4);
    return _mm256_set1_epi32(word);
  }

  template <int bits>
  struct Sum {
    static constexpr int middle = bits <= 4 ? 0 : 1 << (bits - 1);
    B pairs;

    template <int offset>
    void begin(const int32_t* less) {
      if constexpr (middle) pairs = _mm256_slli_epi16(_mm256_set1_epi32(*less), bits - 1);
    }
    static B prepared(B codes) { return codes; }
    template <int at>
    void add(B codes, B x) {
      static_assert(bits < 6 || at < 4);
      const B product = _mm256_maddubs_epi16(codes, x);
      pairs = middle == 0 && at == 0 ? product : _mm256_add_epi16(pairs, product);
      in_order(pairs);
    }
    template <int offset>
    F total(const int32_t* less) const {
      B sum = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
      if constexpr (offset != middle)
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_set1_epi32(*less), _mm256_set1_epi16(offset - middle)));
      return _mm256_cvtepi32_ps(sum);
    }
  };

 private:
  // Left to themselves, compilers turn a chain of integer sums into a tree of more sums than there are registers.
  static void in_order(B& sum) { asm volatile("" : "+x"(sum)); }
};

// Codes below 2^7 fill 16 bits with one pair (2 * 127 * 127): each pair is widened at once.
template <>
struct Avx2Panels::Sum<7> {
  B wide;

  template <int offset>
  void begin(const int32_t* less) {
    wide = _mm256_madd_epi16(_mm256_set1_epi32(*less), _mm256_set1_epi16(offset));
  }
  static B prepared(B codes) { return codes; }
  template <int at>
  void add(B codes, B x) {
    wide = _mm256_add_epi32(wide, _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), _mm256_set1_epi16(1)));
    in_order(wide);
  }
  template <int offset>
  F total(const int32_t*) const {
    return _mm256_cvtepi32_ps(wide);
  }
};

// Bytes use all eight bits, and unsigned they would overflow: |c - 128| times x with the sign of c - 128, pairs at most
// 2 * 128 * 127.
template <>
struct Avx2Panels::Sum<8> {
  B wide;

  template <int offset>
  void begin(const int32_t*) {}
  static B prepared(B codes) { return _mm256_xor_si256(codes, _mm256_set1_epi8(-128)); }
  template <int at>
  void add(B codes, B x) {
    const B pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    const B sum = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    wide = at == 0 ? sum : _mm256_add_epi32(wide, sum);
    in_order(wide);
  }
  template <int offset>
  F total(const int32_t*) const {
    static_assert(offset == 128);
    return _mm256_cvtepi32_ps(wide);
  }
};

}  // namespace
}  // namespace madang
