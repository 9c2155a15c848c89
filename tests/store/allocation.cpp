// Plain operator new, replaced for the whole test program, so that a reader that trusts a length is caught before
// memory runs out. In a file of its own: inlined, GCC would see free() meet what it believes is the library's new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "store/damage.h"

namespace {
std::atomic<size_t> largest{0};
}

void* operator new(std::size_t size) {
  size_t seen = largest.load();
  while (size > seen && !largest.compare_exchange_weak(seen, size)) {
  }
  if (void* p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace madang::test {

size_t largest_allocation() { return largest.exchange(0); }

}  // namespace madang::test
