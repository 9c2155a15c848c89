// The products in tiles over the emulated vocabularies, all else as kernels/emulated.cpp. For tests only.
#include "kernels/simd/emulated_tiles.h"

#include "kernels/tiled.h"

namespace madang {

const Kernels& emulated_tiles_kernels() {
  static const Kernels kernels = simd::in_tiles<EmulatedPanels, EmulatedTiles>(emulated_kernels(), "emulated-tiles");
  return kernels;
}

}  // namespace madang
