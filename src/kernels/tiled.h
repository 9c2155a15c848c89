// The tables whose products are in tiles (simd/tiles.h); all else is another table's.
#pragma once
#include "kernels/table.h"

namespace madang {

const Kernels& emulated_tiles_kernels();  ///< the emulated table's, for tests
#if defined(__x86_64__)
/// AVX-512's, to be called only where the processor has AMX-TILE and AMX-INT8 too and the operating system has given
/// permission for tile data (base/cpu.h asks for it).
const Kernels& amx_kernels();
#endif

}  // namespace madang
