#include "base/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

// Where the file will lie: a link stays one. What a file cannot take the place of is told before there is work to lose.
std::string place_of(const std::string& path) {
  std::error_code missing;
  const fs::file_status there = fs::status(path, missing);
  if (fs::is_directory(there)) cannot_write(path, EISDIR);
  if (fs::exists(there) && !fs::is_regular_file(there)) throw Error(Kind::io, say("not a regular file")).at(path);
  const fs::path target = fs::is_symlink(path, missing) ? fs::canonical(path, missing) : fs::path();
  return target.empty() ? path : target.string();
}

// Opened and locked. Whoever wrote the file before may have given it another name between the two: then again, but not
// for ever, as a file system may number its files anew each time it is asked.
int open_alone(const fs::path& path) {
  for (int tries = 0;; ++tries) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) cannot_write(path.string(), errno);
    const bool taken = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;  // some know no locks
    struct stat ours{}, named{};
    const bool same = fstat(fd, &ours) == 0 && stat(path.c_str(), &named) == 0 && ours.st_dev == named.st_dev &&
                      ours.st_ino == named.st_ino;
    if (!taken && (same || tries == 8)) return fd;
    ::close(fd);
    if (taken)
      throw Error(Kind::io, say("another process is writing the file"))
          .at(path.string())
          .hint(say("wait until it is done, or write under another name"));
  }
}

}  // namespace

void cannot_write(const std::string& path, int fault) {
  if (fault == ENOSPC || fault == EDQUOT || fault == EFBIG)
    throw Error(Kind::limit, say("the disk is full: {}", std::strerror(fault)))
        .at(path)
        .hint(say("make room and run the same command again"));
  throw Error(Kind::io, say("cannot write the file: {}", std::strerror(fault))).at(path);
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

GrowingFile::GrowingFile(fs::path path, int64_t keep) : path_(std::move(path)) {
  fd_ = open_alone(path_);
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
    if (wrote < 0) cannot_write(path_.string(), errno);
    size_ += wrote;
    bytes = bytes.subspan(static_cast<size_t>(wrote));
  }
}

void GrowingFile::cut(int64_t bytes) {
  if (ftruncate(fd_, bytes) != 0 || lseek(fd_, bytes, SEEK_SET) < 0) {
    int fault = errno;
    ::close(std::exchange(fd_, -1));
    cannot_write(path_.string(), fault);
  }
  size_ = bytes;
}

void GrowingFile::sync() {
  if (fsync(fd_) != 0 && errno != EINVAL) cannot_write(path_.string(), errno);
}

NewFile::NewFile(const std::string& path) : path_(place_of(path)), file_(path_ + ".part", 0) {}

NewFile::~NewFile() {
  std::error_code ignored;
  if (!finished_) fs::remove(file_.path(), ignored);
}

void NewFile::need(int64_t bytes) const {
  const fs::path folder = fs::path(path_).parent_path();
  need_space(folder.empty() ? "." : folder, bytes - size());
}

void NewFile::finish() {
  file_.sync();
  std::error_code fault;
  fs::rename(file_.path(), path_, fault);
  if (fault) cannot_write(path_, fault.value());
  finished_ = true;
}

void write_whole(const fs::path& path, std::string_view text) {
  NewFile file(path.string());
  file.append(std::span<const char>(text));
  file.finish();
}

}  // namespace madang
