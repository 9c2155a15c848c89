// Routing tokens to experts and bringing their answers together, always in expert order.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "ops/ops.h"

namespace madang {

Routed top_k(Ctx& c, Tensor probabilities, int k, bool renormalize) {
  const int64_t tokens = probabilities.rows(), experts = probabilities.cols();
  Tensor weights = c.make({tokens, k});
  auto* ids = c.arena.take_array<int32_t>(tokens * k);
  Tensor sums = c.make({tokens});
  std::vector<int32_t> order(static_cast<size_t>(experts));
  for (int64_t t = 0; t < tokens; ++t) {
    const float* p = probabilities.row(t);
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(),
                      [&](int32_t a, int32_t b) { return p[a] > p[b] || (p[a] == p[b] && a < b); });
    float sum = 0;
    for (int j = 0; j < k; ++j) sum += p[ids[t * k + j] = order[static_cast<size_t>(j)]];
    sums.f32()[t] = renormalize ? sum : 1.0f;
    for (int j = 0; j < k; ++j) weights.row(t)[j] = p[ids[t * k + j]] / sums.f32()[t];
  }
  if (c.tape)
    c.tape->record([c, probabilities, weights, sums, ids, k, renormalize] {
      const float* dw = c.tape->grad(weights);
      float* dp = c.tape->grad(probabilities);
      for (int64_t t = 0; t < weights.rows(); ++t) {
        float along = 0;  // w_j = p_j / s:  dp_j = (dw_j - sum_i dw_i w_i) / s
        if (renormalize)
          for (int j = 0; j < k; ++j) along += dw[t * k + j] * weights.row(t)[j];
        for (int j = 0; j < k; ++j)
          dp[t * probabilities.cols() + ids[t * k + j]] += (dw[t * k + j] - along) / sums.f32()[t];
      }
    });
  return {weights, {ids, static_cast<size_t>(tokens * k)}};
}

Tensor combine(Ctx& c, std::span<const ExpertRows> experts, const Routed& routed, int64_t tokens, int64_t width) {
  Tensor out = c.make({tokens, width});
  std::memset(out.data, 0, static_cast<size_t>(out.bytes()));
  for (const ExpertRows& e : experts)
    for (size_t i = 0; i < e.token.size(); ++i) {
      const float weight = routed.weights.row(e.token[i])[e.slot[i]];
      const float* y = e.y.row(static_cast<int64_t>(i));
      float* to = out.row(e.token[i]);
      for (int64_t d = 0; d < width; ++d) to[d] += weight * y[d];
    }
  if (c.tape)
    c.tape->record([c, out, width, weights = routed.weights, kept = std::vector(experts.begin(), experts.end())] {
      const float* dout = c.tape->grad(out);
      float* dweights = c.tape->grad(weights);
      for (const ExpertRows& e : kept) {
        float* dy = c.tape->grad(e.y);
        for (size_t i = 0; i < e.token.size(); ++i) {
          const float* d = dout + e.token[i] * width;
          const float weight = weights.row(e.token[i])[e.slot[i]];
          dweights[e.token[i] * weights.cols() + e.slot[i]] +=
              c.kernels.dot(d, e.y.row(static_cast<int64_t>(i)), width);
          for (int64_t k = 0; k < width; ++k) dy[static_cast<int64_t>(i) * width + k] += weight * d[k];
        }
      }
    });
  return out;
}

}  // namespace madang
