// AMX with int8 and bf16: the products in tiles; all else is AVX-512's, and so is the region: the instructions of the
// tiles, written out, ask for none.
#if defined(__x86_64__)
#include "kernels/x86/amx.h"
#include "kernels/tiled.h"
#include "kernels/x86/region.h"

MADANG_REGION("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "kernels/simd/tiles.h"
#include "kernels/x86/avx512.h"

namespace madang {
namespace {

// These processors follow one stream at half of what two threads can read (19 of 37 GB/s), and 8 KiB ahead of it at
// nearly all (30 to 33).
struct AmxPanels : Avx512Panels {
  static constexpr int64_t reads_ahead = 8192;
  static void fetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }

  /// Sixteen lines of sixteen words: word j of all lines becomes line j.
  static void turn(const uint8_t* const (&lines)[16], uint8_t* to) {
    __m512i x[16], y[16];
    for (int i = 0; i < 16; ++i) x[i] = _mm512_loadu_si512(lines[i]);
    // In each quarter of a register, 16 bytes, four words of four lines: first pairs of lines, then pairs of those.
    for (int i = 0; i < 16; i += 2)
      y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]), y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    for (int i = 0; i < 16; i += 4)
      for (int j = 0; j < 2; ++j)
        x[i + 2 * j] = _mm512_unpacklo_epi64(y[i + j], y[i + j + 2]),
                  x[i + 2 * j + 1] = _mm512_unpackhi_epi64(y[i + j], y[i + j + 2]);
    // x[4 q + j] now holds words j, j + 4, j + 8 and j + 12 of lines 4 q .. 4 q + 3: quarters are brought together.
    for (int j = 0; j < 4; ++j) {
      const __m512i even0 = _mm512_shuffle_i32x4(x[j], x[4 + j], 0x88),
                    odd0 = _mm512_shuffle_i32x4(x[j], x[4 + j], 0xDD);
      const __m512i even1 = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0x88),
                    odd1 = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0xDD);
      _mm512_store_si512(to + 64 * j, _mm512_shuffle_i32x4(even0, even1, 0x88));
      _mm512_store_si512(to + 64 * (j + 4), _mm512_shuffle_i32x4(odd0, odd1, 0x88));
      _mm512_store_si512(to + 64 * (j + 8), _mm512_shuffle_i32x4(even0, even1, 0xDD));
      _mm512_store_si512(to + 64 * (j + 12), _mm512_shuffle_i32x4(odd0, odd1, 0xDD));
    }
  }
};

struct AmxTiles : AmxRegisters {
  using AmxRegisters::AmxRegisters;

  /// What they are without sums_begin: exact, as all that a group can sum to has less than 22 bits.
  static AmxPanels::F load_sums(const float* p) {
    return _mm512_sub_ps(_mm512_load_ps(p), _mm512_set1_ps(simd::sums_begin_as_float));
  }
};

}  // namespace

const Kernels& amx_kernels() {
  static const Kernels kernels = simd::in_tiles<AmxPanels, AmxTiles>(avx512_kernels(), "amx");
  return kernels;
}

}  // namespace madang

MADANG_REGION_END
#endif  // __x86_64__
