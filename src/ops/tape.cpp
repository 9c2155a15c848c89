#include "ops/tape.h"

#include <cstring>

namespace madang {

float* Tape::grad(const Tensor& value) {
  float*& g = grads_[value.data];
  if (!g) {
    g = arena_.take_array<float>(value.numel());
    std::memset(g, 0, static_cast<size_t>(value.numel()) * sizeof(float));
  }
  return g;
}

void Tape::backward() {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) (*step)();
  clear();
}

void Tape::clear() {
  steps_.clear();
  grads_.clear();
}

}  // namespace madang
