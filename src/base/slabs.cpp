#include "base/slabs.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace madang {
namespace {

constexpr size_t line = 64, large_page = size_t{2} << 20;
// What is left of the last slab is address space alone; a piece that would fill half of one is a slab by itself.
constexpr size_t slab_size = 16 * large_page;

size_t rounded(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

std::shared_ptr<std::byte> new_slab(size_t bytes) {
  const size_t mapped = bytes + large_page;  // to begin where a large page can
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto* begin = static_cast<std::byte*>(memory);
  begin += rounded(reinterpret_cast<uintptr_t>(memory), large_page) - reinterpret_cast<uintptr_t>(memory);
  // A wish: a system without large pages says no. The end that fills none stays on small ones, to take no more than it
  // needs.
  madvise(begin, bytes / large_page * large_page, MADV_HUGEPAGE);
  return {begin, [memory, mapped](std::byte*) { munmap(memory, mapped); }};
}

}  // namespace

std::shared_ptr<std::byte> Slabs::take(size_t bytes) {
  bytes = rounded(bytes, line);
  if (bytes > slab_size / 2) return new_slab(bytes);
  std::lock_guard lock(mutex_);
  std::shared_ptr<std::byte> slab = slab_.lock();
  if (!slab || used_ + bytes > slab_size) slab = new_slab(slab_size), slab_ = slab, used_ = 0;
  std::byte* piece = slab.get() + used_;
  used_ += bytes;
  return {std::move(slab), piece};
}

}  // namespace madang
