#include "catalog/disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.h"

namespace madang {
namespace fs = std::filesystem;

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

void make_folder(const fs::path& folder) {
  std::error_code fault;
  fs::create_directories(folder, fault);
  if (fault) throw Error(Kind::io, say("cannot create the folder: {}", fault.message())).at(folder.string());
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

Lock::Lock(const fs::path& path, const std::function<bool()>& patience) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) cannot_write(path.string(), errno);
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
