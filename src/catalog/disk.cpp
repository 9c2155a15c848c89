#include "catalog/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "base/error.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void write_failed(const fs::path& path, int fault) {
  if (fault == ENOSPC || fault == EDQUOT || fault == EFBIG)
    throw Error(Kind::limit, say("the disk is full: {}", std::strerror(fault)))
        .at(path.string())
        .hint(say("make room and run the same command again: it continues where it stopped"));
  throw Error(Kind::io, say("cannot write the file: {}", std::strerror(fault))).at(path.string());
}

}  // namespace

bool is_safe_relative(std::string_view path) {
  if (path.empty() || path.size() > 1024) return false;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('/', begin), path.size());
    std::string_view component = path.substr(begin, end - begin);
    if (component.empty() || component.size() > 255 || component == "." || component == "..") return false;
    for (char c : component)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
    begin = end + 1;
  }
  return true;
}

void need_space(const fs::path& folder, int64_t bytes) {
  std::error_code fault;
  fs::space_info space = fs::space(folder, fault);
  if (fault || bytes <= 0 || space.available >= static_cast<uintmax_t>(bytes)) return;  // writing will tell
  throw Error(Kind::limit, say("there is not enough room on the disk"))
      .at(folder.string())
      .expected(fmt::format("{} MB", (bytes + 999999) / 1000000))
      .found(fmt::format("{} MB", space.available / 1000000));
}

void make_folder(const fs::path& folder) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) throw Error(Kind::io, say("cannot create the folder: {}", fault.message())).at(folder.string());
}

void write_whole(const fs::path& path, std::string_view text) {
  fs::path draft = path;
  draft += ".new";
  {
    GrowingFile file(draft, 0);
    file.append(text);
    file.sync();
  }
  std::error_code fault;
  fs::rename(draft, path, fault);
  if (fault) throw Error(Kind::io, say("cannot write the file: {}", fault.message())).at(path.string());
}

std::optional<std::string> read_whole(const fs::path& path) {
  constexpr uintmax_t largest = 16 << 20;  // what the store reads whole are its own small records
  std::error_code fault;
  if (!fs::is_regular_file(path, fault) || fs::file_size(path, fault) > largest) return std::nullopt;
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return std::nullopt;
  return std::move(text).str();
}

GrowingFile::GrowingFile(fs::path path, int64_t keep) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd_ < 0) write_failed(path_, errno);
  struct stat st{};
  int64_t there = fstat(fd_, &st) == 0 ? static_cast<int64_t>(st.st_size) : 0;
  cut(std::min(there, keep));
}

GrowingFile::~GrowingFile() {
  if (fd_ >= 0) ::close(fd_);
}

void GrowingFile::append(std::span<const char> bytes) {
  while (!bytes.empty()) {
    ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) write_failed(path_, errno);
    size_ += wrote;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
}

void GrowingFile::cut(int64_t bytes) {
  if (ftruncate(fd_, bytes) != 0 || lseek(fd_, bytes, SEEK_SET) < 0) {
    int fault = errno;
    ::close(std::exchange(fd_, -1));
    write_failed(path_, fault);
  }
  size_ = bytes;
}

void GrowingFile::sync() {
  if (fsync(fd_) != 0 && errno != EINVAL) write_failed(path_, errno);
}

Lock::Lock(const fs::path& path, const std::function<bool()>& patience) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) write_failed(path, errno);
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    int fault = errno;
    bool busy = fault == EWOULDBLOCK || fault == EINTR;
    if (busy && patience()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // short beside any download
      continue;
    }
    ::close(fd_);
    if (!busy) throw Error(Kind::io, say("cannot lock the file: {}", std::strerror(fault))).at(path.string());
    throw Error(Kind::limit, say("another madang is working on the same model")).at(path.string());
  }
}

Lock::~Lock() { ::close(fd_); }

}  // namespace madang
