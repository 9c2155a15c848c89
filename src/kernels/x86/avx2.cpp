// AVX2, FMA and F16C: the kernels compiled over it.
#if defined(__x86_64__)
#include "kernels/x86/region.h"

MADANG_REGION("avx2,fma,f16c")

#include "kernels/simd/kernels.h"
#include "kernels/x86/avx2.h"

namespace madang {

// Built at first use, not at program start: this code may run only where it was picked.
const Kernels& avx2_kernels() {
  static const Kernels kernels = simd::fill<Avx2, Avx2Panels>("avx2");
  return kernels;
}

}  // namespace madang

MADANG_REGION_END
#endif  // __x86_64__
