// Regions of code that are compiled for an instruction set. The standard headers and those of lower floors that the
// kernels need are included here, before any region, so that nothing shared is compiled for one. Between
// MADANG_REGION("...") and MADANG_REGION_END stand the kernels' own headers (simd/, x86/) and their table.
#pragma once
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

#define MADANG_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define MADANG_REGION(set) MADANG_PRAGMA(clang attribute push(__attribute__((target(set))), apply_to = function))
#define MADANG_REGION_END MADANG_PRAGMA(clang attribute pop)
#else
#define MADANG_REGION(set) MADANG_PRAGMA(GCC push_options) MADANG_PRAGMA(GCC target(set))
#define MADANG_REGION_END MADANG_PRAGMA(GCC pop_options)
#endif
