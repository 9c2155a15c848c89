// Writing block formats: the counterpart of quant/format.h's readers. Each encoder looks for the scales and codes with
// the least squared error, weighted by importance (which weights meet large activations, compress/importance.h).
// The same values give the same bytes on every machine and for any number of threads.
// Refused: lengths that are no whole number of blocks.
#pragma once
#include <cstdint>
#include <span>

#include "quant/format.h"

namespace madang {

/// Encodes consecutive blocks. `importance` is empty (all equal) or as long as `values`, not negative; where it is zero
/// throughout a block, all its values count the same. Values that are no finite numbers become zero.
/// Throws Kind::unsupported if the format has no encoder, Kind::mismatch for lengths.
void encode(const Format& format, std::span<const float> values, std::span<const float> importance, uint8_t* blocks);

/// The formats that lose too much without an importance matrix.
bool wants_importance(const Format& format);

}  // namespace madang
