// AVX-512 with VNNI: the kernels compiled over it.
#if defined(__x86_64__)
#include "kernels/x86/region.h"

MADANG_REGION("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "kernels/simd/kernels.h"
#include "kernels/x86/avx512.h"

namespace madang {

// Built at first use, not at program start: this code may run only where it was picked.
const Kernels& avx512_kernels() {
  static const Kernels kernels = simd::fill<Avx2, Avx512Panels>("avx512");
  return kernels;
}

}  // namespace madang

MADANG_REGION_END
#endif  // __x86_64__
