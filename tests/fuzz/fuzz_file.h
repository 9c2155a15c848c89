// Readers map files: a fuzzer's bytes become one, in memory.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace madang::fuzz {

/// Calls use(path) on a file of these bytes; a typed error is a right answer.
template <class Use>
void with_file(const uint8_t* data, size_t size, Use&& use) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  for (size_t at = 0; at < size;) {
    const ssize_t n = write(fd, data + at, size - at);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
  try {
    use("/proc/self/fd/" + std::to_string(fd));
  } catch (const Error& error) {
    (void)error.render(Language::korean);
  }
  close(fd);
}

}  // namespace madang::fuzz
