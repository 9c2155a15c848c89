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

struct AmxTiles : AmxRegisters {
  using AmxRegisters::AmxRegisters;

  /// What they are without sums_begin: exact, as all that a group can sum to has less than 22 bits.
  static Avx512Panels::F load_sums(const float* p) {
    return _mm512_sub_ps(_mm512_load_ps(p), _mm512_set1_ps(simd::sums_begin_as_float));
  }
};

}  // namespace

const Kernels& amx_kernels() {
  static const Kernels kernels = simd::in_tiles<Avx512Panels, AmxTiles>(avx512_kernels(), "amx");
  return kernels;
}

}  // namespace madang

MADANG_REGION_END
#endif  // __x86_64__
