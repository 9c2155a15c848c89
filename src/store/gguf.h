// GGUF, versions 2 and 3, little-endian, whole or in parts
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Metadata is checked once when the file is opened and
// read on demand from the mapped bytes. Refused: version 1, big-endian files (by name), counts and lengths that
// the file cannot hold, arrays of arrays, tensors outside the file or over one another, unknown tensor types.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/source.h"

namespace madang {

/// Ids as in the file.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

struct GgufValue {
  std::string_view key;
  GgufType type{};
  GgufType element{};              ///< of arrays; equal to `type` otherwise
  int64_t count = 1;               ///< of elements
  std::span<const uint8_t> bytes;  ///< of the value; of an array: of its elements
};

class Gguf : public Source {
 public:
  /// Any part of a split model opens the whole.
  explicit Gguf(const std::string& path);

  Layout layout() const override { return Layout::gguf; }
  Config config() const override;
  const Gguf* gguf() const override { return this; }

  int version() const { return version_; }
  std::string_view architecture() const { return text("general.architecture"); }
  std::span<const GgufValue> values() const { return values_; }
  const GgufValue* value(std::string_view key) const;  ///< null if not there
  bool has(std::string_view key) const { return value(key) != nullptr; }

  // Each throws Kind::missing if the key is absent and no fallback is given, Kind::format if its type is another.
  // Text points into the file and lives as long as this object.
  std::string_view text(std::string_view key) const;
  std::string_view text(std::string_view key, std::string_view fallback) const;
  int64_t integer(std::string_view key) const;  ///< any integer type; u64 above 2^63 - 1 is refused
  int64_t integer(std::string_view key, int64_t fallback) const;
  double real(std::string_view key) const;  ///< any number
  double real(std::string_view key, double fallback) const;
  bool flag(std::string_view key, bool fallback) const;
  // Arrays; empty if the key is absent.
  std::vector<std::string_view> texts(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;  ///< of a single number too: one element
  std::vector<float> reals(std::string_view key) const;

 private:
  const GgufValue& need(std::string_view key) const;
  std::string place(const GgufValue& v) const;

  int version_ = 0;
  std::vector<GgufValue> values_;  // of the first part, in its order
  std::map<std::string_view, size_t> keys_;
  std::shared_ptr<const MappedFile> first_;
};

}  // namespace madang
