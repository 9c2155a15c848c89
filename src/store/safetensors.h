// safetensors: eight bytes of length, a JSON header, then the bytes of all tensors without gap or overlap
// (https://github.com/huggingface/safetensors, "Format"). Read mapped, alone or as shards with an index; written whole.
// Refused, as the reference reader refuses it: a header above 100 MB, holes, overlaps, names that come twice, an index
// that names files outside its folder.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "store/source.h"

namespace madang {

/// A file, an index (*.index.json) or a folder that holds either.
std::shared_ptr<const Source> open_safetensors(const std::string& path);

/// Whether a repository's weights, or their index, bear such a name: model.safetensors,
/// model-00001-of-00002.safetensors.
bool names_weights(std::string_view file);

/// Writes a file as a stream: the table first, then each tensor's bytes, so that memory is bounded by what the caller
/// holds. Through a temporary file in the same folder: a reader never sees half a file.
class SafetensorsWriter {
 public:
  /// Throws as NewFile; without finish(), what was written is removed.
  explicit SafetensorsWriter(const std::string& path) : file_(path) {}

  /// Tensors lie in the order in which they are declared; give wide elements first, so that all are aligned.
  void declare(const std::string& name, DType dtype, const std::vector<int64_t>& shape);
  /// Throws Kind::limit if there is no room for all of it.
  void begin(const std::map<std::string, std::string>& metadata = {});
  /// The next bytes of the tensors, in the order declared; a tensor's bytes may come in pieces.
  void write(std::span<const uint8_t> bytes);
  void finish();  ///< all is there: on the disk, under its name

 private:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
    int64_t bytes;
  };
  NewFile file_;
  std::vector<Entry> entries_;
  int64_t left_ = 0;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/// Writes all tensors, wide elements first and otherwise in the order given, through a temporary file in the same
/// folder so that a reader never sees half a file. Throws Kind::io.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace madang
