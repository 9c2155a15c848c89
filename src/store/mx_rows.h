// MXFP4 of the Open Compute Project's Microscaling 1.0 as Hugging Face repositories keep it, to rows as GGUF has them.
#pragma once
#include "store/source.h"

namespace madang {

/// `codes`: for 32 weights 16 bytes, neighbours in a byte, low nibble first; `scales`: a byte of exponent each. Rows
/// begin, begin + step, ... of them, where `begin` is where the pointers are and `step` counts rows.
StoredTensor mx_rows(const uint8_t* codes, const uint8_t* scales, int64_t rows, int64_t cols, int64_t step);

}  // namespace madang
