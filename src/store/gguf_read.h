// One GGUF file, read and checked: what gguf.h puts together.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "store/gguf.h"

namespace madang {

struct GgufPart {
  std::shared_ptr<const MappedFile> file;
  int version = 0;
  std::vector<GgufValue> values;
  std::vector<StoredTensor> tensors;
};

/// Throws Kind::format with the byte at fault.
GgufPart read_gguf_part(const std::string& path);

int64_t gguf_size_of(GgufType type);                 ///< bytes of one; 0 for strings and arrays
std::string gguf_type_text(const GgufValue& value);  ///< "u32", "array of string"

}  // namespace madang
