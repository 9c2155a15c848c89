// Writes GGUF, version 3, as a stream: metadata and the table of tensors first, then each tensor's bytes in order, so
// that memory is bounded by what the caller holds. Through a temporary file in the same folder: a reader never sees
// half a file. GgufHeader is the part before the bytes, by itself.
// Refused: a key or a tensor twice, bytes that are not what the table said.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "quant/format.h"
#include "store/gguf.h"

namespace madang {

class GgufHeader {
 public:
  /// `path`: of the file, for errors. `alignment`: of every tensor's first byte, general.alignment.
  explicit GgufHeader(std::string path, int64_t alignment = 32);

  void copy(const GgufValue& value);  ///< as another file has it
  void put(std::string_view key, std::string_view text);
  void put(std::string_view key, const char* text) { put(key, std::string_view(text)); }
  void put(std::string_view key, uint32_t value);
  void put(std::string_view key, int32_t value);
  void put(std::string_view key, float value);
  void put(std::string_view key, bool value);
  void put(std::string_view key, std::span<const std::string> texts);
  void put(std::string_view key, std::span<const int32_t> values);
  void put(std::string_view key, std::span<const float> values);
  void put_flags(std::string_view key, const std::vector<bool>& values);

  /// `shape` is row-major, outermost first, as StoredTensor has it.
  void declare(std::string_view name, const Format& format, std::vector<int64_t> shape);

  /// As the file begins, without the padding before the first tensor.
  std::string bytes() const;
  int64_t bytes_declared() const;  ///< of all tensors, without padding

 protected:
  struct Entry {
    std::string name;
    const Format* format;
    std::vector<int64_t> shape;
    int64_t bytes, offset;
  };
  std::string path_;
  int64_t alignment_;
  std::vector<Entry> entries_;

 private:
  void key(std::string_view name, GgufType type);
  void array(std::string_view name, GgufType element, int64_t count);

  int64_t values_ = 0;
  std::string metadata_;  ///< key by key, in the file's own form
  std::set<std::string, std::less<>> keys_, names_;
};

class GgufWriter : public GgufHeader {
 public:
  /// Throws as NewFile; without finish(), what was written is removed.
  explicit GgufWriter(std::string path, int64_t alignment = 32);

  /// The header is complete. Throws Kind::limit if there is no room for all of it.
  void begin();
  /// The next bytes of the tensors, in the order declared; a tensor's bytes may come in pieces.
  void write(std::span<const uint8_t> bytes);
  /// All is there: on the disk and, unless `check` finds fault with it there, under its name.
  void finish(const std::function<void(const std::string& written)>& check = {});

 private:
  void pad();

  NewFile file_;
  size_t current_ = 0;      ///< the tensor that the next byte belongs to
  int64_t in_current_ = 0;  ///< bytes of it that are written
};

}  // namespace madang
