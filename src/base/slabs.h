// Memory for what is written once and read as a stream, many times: packed weights. Pieces of any size are cut from
// slabs that lie on pages of 2 MiB where the system has them (Linux: THP, "always" or "madvise"). On pages of 4 KiB a
// processor stops reading ahead at the end of each, and has more of them than it can remember: up to a sixth of an
// answer's tokens a second (measured on a Zen 4). The allocator cannot do this, for most matrices are smaller than such
// a page. Refuses: nothing; where there are no large pages, small ones serve.
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>

namespace madang {

class Slabs {
 public:
  /// Memory of a piece, not initialised, beginning with a cache line. A slab is given back when all its pieces are.
  /// Any thread. Throws std::bad_alloc.
  std::shared_ptr<std::byte> take(size_t bytes);

 private:
  std::mutex mutex_;
  std::weak_ptr<std::byte> slab_;  // the one that is being cut
  size_t used_ = 0;
};

}  // namespace madang
