// What fp8 and compressed-tensors share: a matrix of e4m3 and its scales.
#pragma once
#include "store/code_rows.h"
#include "store/scheme.h"

namespace madang {

/// weight F8_E4M3 [out, in]; the scale one number, one a row, or one for each block of block_rows x block_cols
/// (0: there are no blocks). Sizes are checked.
Recipe fp8_recipe(const StoredTensor& weight, const StoredTensor& scale, int64_t block_rows, int64_t block_cols);

/// Endings of names that say how activations, keys and values were quantized, not what the weights are.
inline constexpr std::string_view of_activations[] = {
    ".input_scale",    ".output_scale", ".input_zero_point", ".output_zero_point", ".input_global_scale",
    ".input_scale_ub", ".k_scale",      ".v_scale",          ".q_scale",           ".kv_scale",
    ".k_zero_point",   ".v_zero_point",
};

}  // namespace madang
