#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace madang {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    throw Error(errno == ENOENT || errno == ENOTDIR ? Kind::missing : Kind::io,
                say("cannot open the file: {}", std::strerror(errno)))
        .at(path);
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  struct stat st{};
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    ::close(fd);
    throw Error(Kind::io, say("not a regular file")).at(path);
  }
  file->size_ = static_cast<size_t>(st.st_size);
  if (file->size_ > 0) {
    void* p = mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    int fault = errno;
    ::close(fd);
    if (p == MAP_FAILED) throw Error(Kind::io, say("cannot map the file: {}", std::strerror(fault))).at(path);
    file->data_ = static_cast<const uint8_t*>(p);
  } else {
    ::close(fd);
  }
  return file;
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::warm() const {
  if (size_ == 0) return;
  auto* begin = const_cast<uint8_t*>(data_);
  madvise(begin, size_, MADV_WILLNEED);
#ifdef MADV_POPULATE_READ  // Linux 5.14: maps the pages as well
  if (madvise(begin, size_, MADV_POPULATE_READ) == 0) return;
#endif
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at < size_; at += page) static_cast<void>(*static_cast<const volatile uint8_t*>(data_ + at));
}

void MappedFile::release(std::span<const uint8_t> range) const {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t begin = static_cast<size_t>(range.data() - data_), end = begin + range.size();
  begin = (begin + page - 1) / page * page, end = end / page * page;
  if (begin < end) madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace madang
