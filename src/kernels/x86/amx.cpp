// AMX with int8: the products in tiles, compiled in a target region; all else is AVX-512's. Standard headers and those
// of lower floors come before the region, so that nothing shared is compiled for this set.
#if defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/tiled.h"
#include "kernels/x86/amx.h"
#include "quant/grouped.h"
#include "quant/k_quants.h"
#include "quant/lattice.h"
#include "quant/panel_levels.h"
#include "quant/small_floats.h"
#include "tensor/half.h"

// AVX-512's region: the six instructions of the tiles, written out, ask for none.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#include "kernels/simd/tiles.h"
#include "kernels/x86/avx512.h"

namespace madang {
namespace {

struct AmxTiles : AmxRegisters {
  using AmxRegisters::AmxRegisters;

  static Avx512Panels::F load_sums(const int32_t* p) { return _mm512_cvtepi32_ps(_mm512_load_si512(p)); }
};

}  // namespace

const Kernels& amx_kernels() {
  static const Kernels kernels = [] {
    Kernels k = avx512_kernels();
    k.name = "amx";
    k.matmul_fast = simd::matmul_tiles<Avx512Panels, AmxTiles>;
    return k;
  }();
  return kernels;
}

}  // namespace madang

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // __x86_64__
