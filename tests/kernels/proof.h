// Whether a table of kernels multiplies right on the processor that it runs on: small random products against the
// reference, bit for bit.
#pragma once
#include "base/random.h"
#include "kernels/table.h"

namespace madang {

struct ProductShape {
  int form = 0;  ///< of panel_forms
  int64_t rows = 0, cols = 0, tokens = 0;
};

/// One product of random codes, scales and activations.
bool same_product(const Kernels& kernels, const ProductShape& shape, Random& random);

/// The same of a BF16 weight; cols a multiple of 32. In pieces of 32 rows, as threads share them.
bool same_bf16_product(const Kernels& kernels, int64_t rows, int64_t cols, int64_t tokens, Random& random);

/// Some of them that use every path of a product in tiles.
bool multiplies_right(const Kernels& kernels);

}  // namespace madang
