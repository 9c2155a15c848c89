// The vector kernels over the emulated vocabulary: plain C++ that gives the vector kernels' own bits. For tests only.
#include "kernels/simd/emulated.h"

#include "kernels/simd/kernels.h"

namespace madang {

const Kernels& emulated_kernels() {
  static const Kernels kernels = simd::fill<Emulated, EmulatedPanels>("emulated");
  return kernels;
}

}  // namespace madang
