// What every op and every model is given: where to work, where to put results, how exactly. Passed everywhere,
// stored nowhere.
#pragma once
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

/// Sees results by name as a forward runs (calibration, debugging); may be empty.
using Observer = std::function<void(std::string_view name, const Tensor& value)>;

struct Ctx {
  ThreadPool& pool;
  Arena& arena;
  const Kernels& kernels;
  Compute compute = Compute::exact;
  Tape* tape = nullptr;  ///< present in training only
  Observer observer;

  /// A float32 tensor that lives until the arena is rewound; not initialised.
  Tensor make(Shape shape) { return {arena.take_array<float>(shape.numel()), DType::f32, shape}; }

  /// Runs one block of a model and gives back all it allocated but the result, so that memory does not grow with
  /// depth. In training everything stays: backward needs it.
  template <class Block>
  Tensor frame(Block&& block) {
    if (tape) return block();
    Arena::Mark mark = arena.mark();
    return keep(mark, block());
  }

 private:
  Tensor keep(Arena::Mark mark, Tensor result);
};

}  // namespace madang
