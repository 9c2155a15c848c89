// What a weight file offers: names, shapes and bytes, mapped and never read whole. One Source is one model: a single
// safetensors file, a folder of shards with an index, a GGUF (in parts or whole), or a checkpoint of llama2.c or rwkv.cpp.
// Refused: whatever lies outside its file, overlaps a neighbour, comes twice, or cannot be counted in 63 bits.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "quant/weight.h"
#include "tensor/tensor.h"

namespace madang {

class Config;
class Gguf;
struct Recipe;

/// How the file lays a model out: which names its tensors have and what was done to them.
enum class Layout { hugging_face, gguf, llama2c, rwkv_cpp };

struct StoredTensor {
  std::string name;
  const Format* format = nullptr;  ///< null if the dtype is no weight format (integers, float64, float8)
  DType dtype = DType::u8;         ///< u8 for quantized blocks
  std::vector<int64_t> shape;      ///< row-major, outermost first (GGUF's order reversed)
  std::span<const uint8_t> bytes;
  std::shared_ptr<const MappedFile> file;  ///< null once it was made and not mapped
  std::shared_ptr<const void> owner;       ///< what keeps `bytes` alive
  ColumnOrder order;                       ///< of the columns in `bytes`
  /// How it is made of several that the file holds (store/scheme.h); then it has neither format nor bytes until
  /// made() is asked. Null for all others.
  std::shared_ptr<const Recipe> recipe;

  int64_t numel() const;               ///< never wraps: readers checked it
  std::string_view type_name() const;  ///< "Q4_K", "F32", "I64", "GPTQ-4"
  std::string shape_text() const;      ///< "[64, 256]"
  /// What it takes in the file, bytes by bytes; of a recipe all its parts.
  std::vector<std::span<const uint8_t>> spans() const;
  int64_t file_bytes() const;
  /// The tensor with its bytes: itself, or newly made. Throws what the recipe finds wrong.
  StoredTensor made() const;
  /// All values as float32, columns in the order of the input. Only with a format and bytes.
  void decode(float* values) const;
};

class Source {
 public:
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  virtual Layout layout() const = 0;
  /// The model's configuration in the keys of transformers 5. Throws Kind::missing if there is none beside the file.
  virtual Config config() const = 0;
  /// The GGUF itself, for vocabulary and chat template; null for other layouts.
  virtual const Gguf* gguf() const { return nullptr; }
  /// Free words the file carries (safetensors `__metadata__`).
  virtual std::map<std::string, std::string> metadata() const { return {}; }

  const std::string& path() const { return path_; }                   ///< as opened: a file or a folder
  const std::string& folder() const { return folder_; }               ///< where tokenizer, template and config lie
  std::span<const StoredTensor> tensors() const { return tensors_; }  ///< in the order of the file
  const StoredTensor* find(std::string_view name) const;              ///< null if not there
  int64_t file_bytes() const;                                         ///< of all files together
  void warm() const;                                                  ///< reads all files into memory

 protected:
  explicit Source(std::string path);
  /// Throws Kind::format on a name that is there already.
  void add(StoredTensor tensor);
  /// All tensors, to be given back by replace().
  std::vector<StoredTensor> take();
  void replace(std::vector<StoredTensor> tensors);
  void add_file(std::shared_ptr<const MappedFile> file) { files_.push_back(std::move(file)); }

 private:
  std::string path_, folder_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
};

/// Opens a file or a folder by what it holds: a folder with model.safetensors.index.json, *.safetensors, one *.gguf
/// (any part of a split one) or one *.bin of llama2.c or rwkv.cpp. Throws Kind::missing if it holds no weights, Kind::unsupported if
/// it holds several models.
std::shared_ptr<const Source> open_source(const std::string& path);

}  // namespace madang
