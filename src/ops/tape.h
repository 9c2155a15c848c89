// The tape: what the forward did, to be walked once backwards. Ops record a closure each; gradients are kept by the
// address of the value they belong to, so a reshaped view and its origin share one, and a weight used twice (tied
// embeddings) sums both uses. A slice of a parameter has that slice of its gradient.
#pragma once
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/arena.h"
#include "quant/weight.h"
#include "tensor/tensor.h"

namespace madang {

class Tape {
 public:
  explicit Tape(Arena& arena) : arena_(arena) {}

  /// Says that the gradient of this parameter is wanted and where to add it ([same shape], owned by the caller).
  void want(const Tensor& parameter, float* gradient);
  /// Where to add the gradient of a parameter, or of a slice that begins here, or null if it is not trained.
  float* wanted(const void* parameter) const;
  /// The gradient of an activation, zero at first use.
  float* grad(const Tensor& value);

  void record(std::function<void()> back) { steps_.push_back(std::move(back)); }
  /// Calls what was recorded, last first, and forgets it. The caller has put the loss's gradient in place.
  void backward();
  void clear();

 private:
  Arena& arena_;
  std::vector<std::function<void()>> steps_;
  struct Wanted {
    int64_t numel;
    float* gradient;
  };
  std::unordered_map<const void*, float*> grads_;
  std::map<const float*, Wanted> wanted_;  // by the first element
};

}  // namespace madang
