// The store's dealings with the disk: room, files that grow, names that stay inside, one writer at a time.
// Refuses: paths that climb out of their folder, writes beyond the room there is.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace madang {

/// True for a relative path of plain components: no "..", no empty one, no backslash or control character, at most
/// 255 bytes a component and 1024 in all. Names from listings and archives must pass before they touch the disk.
bool is_safe_relative(std::string_view path);

/// Throws Kind::limit, with both numbers, if the folder's file system has less room than `bytes`.
void need_space(const std::filesystem::path& folder, int64_t bytes);

/// Creates a folder and those above it. Throws Kind::io.
void make_folder(const std::filesystem::path& folder);

/// All at once or not at all, by a rename.
void write_whole(const std::filesystem::path& path, std::string_view text);

/// The file's text, or nothing if it is not there, is not a file, or exceeds 16 MiB.
std::optional<std::string> read_whole(const std::filesystem::path& path);

/// A file that grows at its end. Writing throws Kind::limit where the disk or a quota is full, else Kind::io; what
/// was written so far stays.
class GrowingFile {
 public:
  /// Opens or creates it and cuts it to `keep` bytes; fewer if it is shorter.
  GrowingFile(std::filesystem::path path, int64_t keep);
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  void append(std::span<const char> bytes);
  void cut(int64_t bytes);
  int64_t size() const { return size_; }
  /// Reaches the disk itself: a name given by rename afterwards never stands on a file half written.
  void sync();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

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
