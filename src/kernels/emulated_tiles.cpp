// The products in tiles over the emulated vocabularies, all else as kernels/emulated.cpp. For tests only.
#include "kernels/simd/emulated_tiles.h"

#include "kernels/tiled.h"

namespace madang {

const Kernels& emulated_tiles_kernels() {
  static const Kernels kernels = [] {
    Kernels k = emulated_kernels();
    k.name = "emulated-tiles";
    k.matmul_fast = simd::matmul_tiles<EmulatedPanels, EmulatedTiles>;
    return k;
  }();
  return kernels;
}

}  // namespace madang
