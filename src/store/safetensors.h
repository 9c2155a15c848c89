// safetensors: eight bytes of length, a JSON header, then the bytes of all tensors without gap or overlap
// (https://github.com/huggingface/safetensors, "Format"). Read mapped, alone or as shards with an index; written whole.
// Refused, as the reference reader refuses it: a header above 100 MB, holes, overlaps, names that come twice, an index
// that names files outside its folder.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/source.h"

namespace madang {

/// A file, an index (*.index.json) or a folder that holds either.
std::shared_ptr<const Source> open_safetensors(const std::string& path);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Writes all tensors, wide elements first and otherwise in the order given, through a temporary file in the same
/// folder so that a reader never sees half a file. Throws Kind::io.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace madang
