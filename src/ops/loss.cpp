// Cross entropy of the next token. The log-sum is float64, so that a vocabulary of 262,144 costs no digits.
#include <algorithm>
#include <cmath>

#include "ops/ops.h"

namespace madang {

double cross_entropy(Ctx& c, Tensor logits, std::span<const int32_t> labels) {
  const int64_t vocabulary = logits.cols();
  const auto counted = std::count_if(labels.begin(), labels.end(), [](int32_t l) { return l != no_label; });
  if (counted == 0) return 0;
  std::vector<double> log_sum(labels.size());
  double total = 0;
  for (size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] == no_label) continue;
    const float* row = logits.row(static_cast<int64_t>(t));
    const double largest = *std::max_element(row, row + vocabulary);
    double sum = 0;
    for (int64_t i = 0; i < vocabulary; ++i) sum += std::exp(row[i] - largest);
    log_sum[t] = largest + std::log(sum);
    total += log_sum[t] - row[labels[t]];
  }
  if (c.tape) {
    float* d = c.tape->grad(logits);
    for (size_t t = 0; t < labels.size(); ++t) {
      if (labels[t] == no_label) continue;
      const float* row = logits.row(static_cast<int64_t>(t));
      float* to = d + static_cast<int64_t>(t) * vocabulary;
      for (int64_t i = 0; i < vocabulary; ++i)
        to[i] += static_cast<float>(std::exp(row[i] - log_sum[t]) / static_cast<double>(counted));
      to[labels[t]] -= static_cast<float>(1.0 / static_cast<double>(counted));
    }
  }
  return total / static_cast<double>(counted);
}

}  // namespace madang
