#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace madang {
namespace {

bool is_matrix(const Shape& shape) {
  int wide = 0;
  for (int i = 0; i < shape.rank; ++i) wide += shape[i] > 1;
  return wide >= 2;
}

}  // namespace

double learning_rate(double rate, int64_t step, int64_t warm_up, int64_t steps) {
  if (step < warm_up) return rate * static_cast<double>(step + 1) / static_cast<double>(warm_up);
  if (steps <= warm_up) return rate;
  const double along = static_cast<double>(step - warm_up) / static_cast<double>(steps - warm_up);
  return rate * (1 + std::cos(std::numbers::pi * along)) / 2;
}

AdamW::AdamW(const std::vector<Parameter>& parameters, const AdamWOptions& options) : options_(options) {
  for (const Parameter& p : parameters) {
    const Shape& shape = p.value.view().shape;
    auto zeros = [&] { return Buffer(DType::f32, shape); };
    trained_.push_back({p.name, p.value, zeros(), zeros(), zeros(), is_matrix(shape)});
  }
}

void AdamW::clear_gradients() {
  for (Trained& t : trained_) std::memset(t.gradient.f32(), 0, static_cast<size_t>(t.gradient.view().bytes()));
}

double AdamW::gradient_norm() const {
  double sum = 0;
  for (const Trained& t : trained_)
    for (int64_t i = 0; i < t.gradient.view().numel(); ++i)
      sum += static_cast<double>(t.gradient.f32()[i]) * t.gradient.f32()[i];
  return std::sqrt(sum);
}

// p -= rate wd p;  m, v moving means of g, g^2;  p -= rate m^ / (sqrt(v^) + eps), hats correct for the start at zero.
void AdamW::step(ThreadPool& pool, double rate, double norm) {
  ++steps_;
  const auto shrink =
      static_cast<float>(options_.clip > 0 && norm > options_.clip ? options_.clip / (norm + 1e-6) : 1.0);
  const auto b1 = static_cast<float>(options_.beta1), b2 = static_cast<float>(options_.beta2);
  const auto size = static_cast<float>(rate / (1 - std::pow(options_.beta1, steps_)));
  const auto root = static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, steps_)));
  const auto epsilon = static_cast<float>(options_.epsilon);
  for (Trained& t : trained_) {
    const auto keep = static_cast<float>(t.decays ? 1 - rate * options_.weight_decay : 1.0);
    float *p = t.value.f32(), *g = t.gradient.f32(), *m = t.first.f32(), *v = t.second.f32();
    pool.parallel(t.value.view().numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float grad = g[i] * shrink;
        m[i] += (1 - b1) * (grad - m[i]);
        v[i] = b2 * v[i] + (1 - b2) * grad * grad;
        p[i] = p[i] * keep - size * m[i] / (std::sqrt(v[i]) / root + epsilon);
      }
    });
  }
}

}  // namespace madang
