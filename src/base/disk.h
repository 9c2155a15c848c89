// Writing to the disk: room, files that grow at their end, files that come whole or not at all.
// Refused: a full disk (Kind::limit, before the first byte where the size is told); a folder or a device in a file's
// place; a file that somebody else is writing.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace madang {

/// Throws what a fault of the system's (errno) means to who writes: Kind::limit if a disk or a quota is full, else
/// Kind::io.
[[noreturn]] void cannot_write(const std::string& path, int fault);

/// Throws Kind::limit, with both numbers, if the folder's file system has less room than `bytes`.
void need_space(const std::filesystem::path& folder, int64_t bytes);

/// A file that grows at its end. Writing throws as cannot_write; what was written so far stays.
class GrowingFile {
 public:
  /// Opens or creates it and cuts it to `keep` bytes; fewer if it is shorter.
  GrowingFile(std::filesystem::path path, int64_t keep);
  ~GrowingFile();
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  void append(std::span<const char> bytes);
  void append(std::span<const uint8_t> bytes) { append({reinterpret_cast<const char*>(bytes.data()), bytes.size()}); }
  void cut(int64_t bytes);
  int64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  /// Reaches the disk itself: a name given by rename afterwards never stands on a file half written.
  void sync();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  int64_t size_ = 0;
};

/// A file that comes whole or not at all: written as PATH.part, which takes the name when all of it is on the disk. An
/// end by error or Ctrl-C leaves what was there before; only a kill leaves the part, and the next try writes over it.
class NewFile {
 public:
  explicit NewFile(const std::string& path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// Throws Kind::limit if there is no room for so many bytes in all.
  void need(int64_t bytes) const;
  void append(std::span<const char> bytes) { file_.append(bytes); }
  void append(std::span<const uint8_t> bytes) { file_.append(bytes); }
  int64_t size() const { return file_.size(); }
  const std::string& path() const { return path_; }
  std::string part() const { return file_.path().string(); }  ///< what is written so far
  void finish();

 private:
  std::string path_;
  GrowingFile file_;
  bool finished_ = false;
};

/// All at once or not at all.
void write_whole(const std::filesystem::path& path, std::string_view text);

}  // namespace madang
