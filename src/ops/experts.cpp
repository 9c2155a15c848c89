// Routing tokens to experts and bringing their answers together, always in expert order.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "ops/ops.h"

namespace madang {

namespace {

// What the choice is made by: score plus bias; nothing outside the best groups can be chosen before what is inside.
std::vector<float> chosen_by(const float* scores, int64_t experts, const Choice& choice) {
  std::vector<float> by(scores, scores + experts);
  if (choice.bias)
    for (int64_t e = 0; e < experts; ++e) by[static_cast<size_t>(e)] += choice.bias.f32()[e];
  if (choice.groups <= 1) return by;
  const int64_t size = experts / choice.groups;
  std::vector<float> worth;
  for (int64_t g = 0; g < choice.groups; ++g) {
    std::vector<float> in(by.begin() + g * size, by.begin() + (g + 1) * size);
    const auto judges = std::min<int64_t>(choice.judges, size);
    std::partial_sort(in.begin(), in.begin() + judges, in.end(), std::greater<>());
    worth.push_back(std::accumulate(in.begin(), in.begin() + judges, 0.0f));
  }
  std::vector<int64_t> order(worth.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](int64_t a, int64_t b) {
    const float x = worth[static_cast<size_t>(a)], y = worth[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  for (size_t i = static_cast<size_t>(choice.groups_kept); i < order.size(); ++i)
    std::fill_n(by.begin() + order[i] * size, size, -std::numeric_limits<float>::infinity());
  return by;
}

/// Fewer than k are left inside the best groups: DeepSeek V3's class goes on with experts outside, between which
/// nothing decides but how torch.topk searches. It is the search of the C++ library over values and their places.
void choose_beyond(const std::vector<float>& by, int k, std::vector<int32_t>& order) {
  std::vector<std::pair<float, int32_t>> queue;
  for (size_t e = 0; e < by.size(); ++e) queue.emplace_back(by[e], static_cast<int32_t>(e));
  const auto more = [](const auto& a, const auto& b) { return a.first > b.first; };
  if (static_cast<size_t>(k) * 64 <= by.size())
    std::partial_sort(queue.begin(), queue.begin() + k, queue.end(), more);
  else
    std::nth_element(queue.begin(), queue.begin() + k - 1, queue.end(), more);
  std::ranges::transform(queue, order.begin(), [](const auto& one) { return one.second; });
}

}  // namespace

Routed top_k(Ctx& c, Tensor probabilities, const Choice& choice) {
  const int64_t tokens = probabilities.rows(), experts = probabilities.cols();
  const int k = choice.k;
  const bool renormalize = choice.renormalize;
  Tensor weights = c.make({tokens, k});
  auto* ids = c.arena.take_array<int32_t>(tokens * k);
  Tensor sums = c.make({tokens});
  const int64_t inside = experts / choice.groups * (choice.groups > 1 ? choice.groups_kept : 1);
  std::vector<int32_t> order(static_cast<size_t>(experts));
  for (int64_t t = 0; t < tokens; ++t) {
    const float* p = probabilities.row(t);
    const std::vector<float> by = chosen_by(p, experts, choice);
    std::iota(order.begin(), order.end(), 0);
    if (k > inside)
      choose_beyond(by, k, order);
    else
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int32_t a, int32_t b) {
        const float x = by[static_cast<size_t>(a)], y = by[static_cast<size_t>(b)];
        return x > y || (x == y && a < b);
      });
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

Routed sparse_mixer(Ctx& c, Tensor logits, float jitter) {
  const int64_t tokens = logits.rows(), experts = logits.cols();
  Tensor weights = c.make({tokens, 2});
  auto* ids = c.arena.take_array<int32_t>(tokens * 2);
  float* shares = c.arena.take_array<float>(tokens * 2 * experts);  // the two softmaxes; zero where masked
  for (int64_t t = 0; t < tokens; ++t) {
    const float* x = logits.row(t);
    for (int j = 0; j < 2; ++j) {
      float* p = shares + (t * 2 + j) * experts;
      auto open = [&](int64_t e) { return j == 0 || e != ids[t * 2]; };
      int64_t best = open(0) ? 0 : 1;
      for (int64_t e = 0; e < experts; ++e)
        if (open(e) && x[e] > x[best]) best = e;
      float sum = 0;
      for (int64_t e = 0; e < experts; ++e) {
        const bool near = open(e) && !((x[best] - x[e]) / std::max(std::abs(x[e]), x[best]) > 2 * jitter);
        sum += p[e] = near ? std::exp(x[e] - x[best]) : 0.0f;
      }
      for (int64_t e = 0; e < experts; ++e) p[e] /= sum;
      ids[t * 2 + j] = static_cast<int32_t>(best);
      weights.row(t)[j] = p[best];
    }
  }
  if (c.tape)
    c.tape->record([c, logits, weights, ids, shares, experts] {
      const float* dw = c.tape->grad(weights);
      float* dx = c.tape->grad(logits);
      for (int64_t i = 0; i < weights.rows() * 2; ++i)  // w = p_best:  dx_e = dw w ([e = best] - p_e)
        for (int64_t e = 0; e < experts; ++e)
          dx[i / 2 * experts + e] += dw[i] * weights.f32()[i] * ((e == ids[i] ? 1.0f : 0.0f) - shares[i * experts + e]);
    });
  return {weights, {ids, static_cast<size_t>(tokens * 2)}};
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
