// Checkpoints of rwkv.cpp (docs/FILE_FORMAT.md there): six int32, then tensor after tensor, each with its own header.
// Tensors keep the names of the first RWKV implementation ("blocks.0.att.key.weight"). The generation (4, 5.2, 6 or 7)
// follows from which tensors there are. Refused: quantized files of version 100, whose blocks nobody reads any more,
// RWKV 5.0 and 5.1, and whatever does not fill the file exactly.
#pragma once
#include <memory>
#include <string>

#include "store/source.h"

namespace madang {

/// "ggmf", the first four bytes.
inline constexpr uint32_t rwkv_cpp_magic = 0x67676d66;

std::shared_ptr<const Source> open_rwkv_cpp(const std::string& path);

}  // namespace madang
