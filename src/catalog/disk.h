// The store's dealings with the disk, beside those of base/disk.h: names that stay inside, one writer at a time.
// Refuses: paths that climb out of their folder.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/disk.h"

namespace madang {

/// True for a relative path of plain components: no "..", no empty one, no backslash or control character, at most
/// 255 bytes a component and 1024 in all. Names from listings and archives must pass before they touch the disk.
bool is_safe_relative(std::string_view path);

/// Creates a folder and those above it. Throws Kind::io.
void make_folder(const std::filesystem::path& folder);

/// The file's text, or nothing if it is not there, is not a file, or exceeds 16 MiB.
std::optional<std::string> read_whole(const std::filesystem::path& path);

/// Held by one process (and one thread) at a time, released by the system if it dies.
class Lock {
 public:
  /// Waits while `patience` returns true; throws Kind::limit when it no longer does.
  Lock(const std::filesystem::path& path, const std::function<bool()>& patience);
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace madang
