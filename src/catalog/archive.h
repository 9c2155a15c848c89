// One file out of a wheel (a zip archive). Refuses: an absent member, one whose size or checksum is not as told.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "catalog/disk.h"

namespace madang {

class Archive {
 public:
  /// Throws Kind::format if it is not a zip archive.
  explicit Archive(const std::filesystem::path& path);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  std::vector<std::string> names() const;
  /// Unpacked, in bytes. Throws Kind::missing.
  int64_t size(const std::string& member) const;
  /// Appends the member to the file, calling `alive` with the bytes so far; false stops it (and returns false).
  bool extract(const std::string& member, GrowingFile& to, const std::function<bool(int64_t)>& alive) const;

 private:
  std::string path_;
  void* zip_ = nullptr;
};

}  // namespace madang
