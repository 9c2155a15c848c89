#include "ops/tape.h"

#include <cstring>
#include <iterator>

namespace madang {

void Tape::want(const Tensor& parameter, float* gradient) { wanted_[parameter.f32()] = {parameter.numel(), gradient}; }

float* Tape::wanted(const void* parameter) const {
  const auto* at = static_cast<const float*>(parameter);
  auto after = wanted_.upper_bound(at);
  if (after == wanted_.begin()) return nullptr;
  const auto& [first, kept] = *std::prev(after);
  return at - first < kept.numel ? kept.gradient + (at - first) : nullptr;
}

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
