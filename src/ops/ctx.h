// What every op and every model is given: where to work, where to put results, how exactly. Passed everywhere,
// stored nowhere.
#pragma once
#include <cstring>
#include <functional>
#include <string_view>

#include "base/arena.h"
#include "base/thread_pool.h"
#include "kernels/table.h"
#include "tensor/tensor.h"

namespace madang {

class Tape;

/// exact: weights decoded to float32, float32 activations: the judge. fast: integer kernels on quantized weights.
enum class Compute { exact, fast };

/// Sees every product's weight and input, [T, in], as a forward runs (the importance matrix); may be empty.
using Observer = std::function<void(const Weight& weight, const Tensor& input)>;

struct Ctx {
  ThreadPool& pool;
  Arena& arena;
  const Kernels& kernels;
  Compute compute = Compute::exact;
  Tape* tape = nullptr;  ///< present in training only
  Observer observer;

  /// A float32 tensor that lives until the arena is rewound; not initialised.
  Tensor make(Shape shape) { return {arena.take_array<float>(shape.numel()), DType::f32, shape}; }

  /// x = block(x), giving back all the block allocated: its result takes x's place, so that memory does not grow
  /// with depth. In training everything stays: backward needs it.
  template <class Block>
  Tensor frame(Tensor x, Block&& block) {
    if (tape) return block(x);
    Arena::Mark mark = arena.mark();
    Tensor y = block(x);
    assert(y.shape == x.shape);
    std::memcpy(x.data, y.data, static_cast<size_t>(x.bytes()));
    arena.rewind(mark);
    return x;
  }
};

}  // namespace madang
