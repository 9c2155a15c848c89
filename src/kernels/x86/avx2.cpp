// AVX2, FMA and F16C: the kernels compiled over it in a target region. Standard headers and those
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

#include "kernels/table.h"
#include "quant/grouped.h"
#include "quant/k_quants.h"
#include "quant/lattice.h"
#include "quant/panel_levels.h"
#include "quant/small_floats.h"
#include "tensor/half.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif

#include "kernels/simd/kernels.h"
#include "kernels/x86/avx2.h"

namespace madang {

// Built at first use, not at program start: this code may run only where it was picked.
const Kernels& avx2_kernels() {
  static const Kernels kernels = simd::fill<Avx2, Avx2Panels>("avx2");
  return kernels;
}

}  // namespace madang

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif  // __x86_64__
