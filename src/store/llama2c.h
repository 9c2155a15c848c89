// Checkpoints of llama2.c, the first layout (run.c's "legacy", version 0): seven int32, then float32 weights in a fixed
// order, layers stacked. Tensors get the names of Meta's checkpoints. Refused: a header whose sizes do not give exactly
// the file's length.
#pragma once
#include <memory>
#include <string>

#include "store/source.h"

namespace madang {

std::shared_ptr<const Source> open_llama2c(const std::string& path);

}  // namespace madang
