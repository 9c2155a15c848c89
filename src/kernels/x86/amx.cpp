// AMX with int8: the products in tiles; all else is AVX-512's, and so is the region: the six instructions of the tiles,
// written out, ask for none.
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
