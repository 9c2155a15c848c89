// AdamW (Loshchilov and Hutter 2019) with gradient clipping and a schedule that warms up and falls along a cosine.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "store/scope.h"

namespace madang {

/// Step s of S from 0, W of them warming up: rate (s + 1) / W, then rate (1 + cos(pi (s - W) / (S - W))) / 2.
double learning_rate(double rate, int64_t step, int64_t warm_up, int64_t steps);

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.1;  ///< of tensors with two or more axes longer than one: norms and biases do not decay
  double clip = 1;            ///< largest l2 norm of all gradients together; 0: not clipped
};

/// A parameter, its gradient and the optimizer's memory of it.
struct Trained {
  std::string name;
  Buffer value, gradient, first, second;
  bool decays = false;
};

class AdamW {
 public:
  AdamW(const std::vector<Parameter>& parameters, const AdamWOptions& options);

  std::vector<Trained>& trained() { return trained_; }
  void clear_gradients();
  /// The l2 norm of all gradients together, summed in float64.
  double gradient_norm() const;
  /// Clips and applies the gradients; `norm` is gradient_norm().
  void step(ThreadPool& pool, double rate, double norm);

 private:
  AdamWOptions options_;
  std::vector<Trained> trained_;
  int64_t steps_ = 0;
};

}  // namespace madang
