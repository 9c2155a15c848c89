#include "base/arena.h"

#include <algorithm>
#include <new>

namespace madang {

void* Arena::take(size_t bytes) {
  // 64 bytes: a cache line, and the widest vector register.
  bytes = (bytes + 63) / 64 * 64;
  while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) ++block_, used_ = 0;
  if (block_ == blocks_.size()) {
    // One MiB holds a small step whole and keeps the number of blocks low for large ones.
    size_t size = std::max(bytes, size_t{1} << 20);
    blocks_.push_back(
        {std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(::operator new(size, std::align_val_t(64)))), size});
    used_ = 0;
  }
  void* p = blocks_[block_].bytes.get() + used_;
  used_ += bytes;
  return p;
}

size_t Arena::capacity() const {
  size_t total = 0;
  for (const Block& b : blocks_) total += b.size;
  return total;
}

}  // namespace madang
