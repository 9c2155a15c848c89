// A bump allocator for activations: one forward takes, the next one starts over. Not thread safe by design: only
// the thread that builds the step allocates; workers get pointers.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace madang {

class Arena {
 public:
  /// Where the arena stood; rewind() gives back all that was taken since.
  struct Mark {
    size_t block = 0, used = 0;
  };

  /// 64-byte aligned, uninitialised. Grows by blocks; earlier pointers stay valid.
  void* take(size_t bytes);
  template <class T>
  T* take_array(int64_t n) {
    return static_cast<T*>(take(static_cast<size_t>(n) * sizeof(T)));
  }

  Mark mark() const { return {block_, used_}; }
  void rewind(Mark mark) { block_ = mark.block, used_ = mark.used; }
  size_t capacity() const;

 private:
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  struct Block {
    std::unique_ptr<std::byte, Free> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0, used_ = 0;
};

}  // namespace madang
