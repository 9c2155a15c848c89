// Gradients against central finite differences: a scalar loss is a fixed random weighting of an op's output, every
// input is nudged, and the tape's gradient must agree. Float32 forwards: nudges of 1e-2 against tolerance 2e-2
// relative to the largest gradient, where a wrong formula is off by its own size.
#pragma once
#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"
#include "ops/ops.h"
#include "support.h"

namespace madang::test {

inline Buffer random_buffer(Random& random, Shape shape, float size = 1) {
  Buffer b(DType::f32, shape);
  for (int64_t i = 0; i < shape.numel(); ++i) b.f32()[i] = size * static_cast<float>(random.normal());
  return b;
}

/// Where ops run in tests; `threads` 1 and 2 must give the same bits.
struct Bench {
  ThreadPool pool;
  Arena arena;
  Ctx c;
  explicit Bench(int threads = 2, const Kernels& kernels = ref_kernels)
      : pool(threads), c{pool, arena, kernels, Compute::exact, nullptr, {}} {}
};

using Graph = std::function<Tensor(Ctx&)>;

/// What the tape says on so many threads: of the inputs, then of the parameters.
inline std::vector<std::vector<float>> tape_gradients(const Graph& graph, const std::vector<Buffer>& inputs,
                                                      const std::vector<Buffer>& parameters,
                                                      const std::vector<float>& weighting, int threads) {
  Bench bench(threads);
  Tape tape(bench.arena);
  bench.c.tape = &tape;
  std::vector<std::vector<float>> sums;
  for (const Buffer& p : parameters) sums.emplace_back(static_cast<size_t>(p.view().numel()), 0.0f);
  for (size_t i = 0; i < parameters.size(); ++i) tape.want(parameters[i], sums[i].data());
  Tensor y = graph(bench.c);
  std::memcpy(tape.grad(y), weighting.data(), weighting.size() * 4);
  std::vector<const float*> found;
  for (const Buffer& in : inputs) found.push_back(tape.grad(in));
  tape.backward();
  std::vector<std::vector<float>> gradients;
  for (size_t i = 0; i < inputs.size(); ++i) gradients.emplace_back(found[i], found[i] + inputs[i].view().numel());
  gradients.insert(gradients.end(), sums.begin(), sums.end());
  return gradients;
}

/// `inputs`: activations the graph reads. `parameters`: weights, whose gradients the tape adds where it was told.
inline void check_gradients(const Graph& graph, const std::vector<Buffer>& inputs,
                            const std::vector<Buffer>& parameters, Random& random) {
  Bench bench;
  const std::vector<float> weighting = [&] {
    std::vector<float> w(static_cast<size_t>(graph(bench.c).numel()));
    for (float& x : w) x = static_cast<float>(random.normal());
    return w;
  }();
  auto loss = [&] {
    bench.arena.rewind({});
    Tensor y = graph(bench.c);
    double sum = 0;
    for (int64_t i = 0; i < y.numel(); ++i) sum += static_cast<double>(weighting[static_cast<size_t>(i)]) * y.f32()[i];
    return sum;
  };
  std::vector<Buffer> all(inputs);
  all.insert(all.end(), parameters.begin(), parameters.end());
  const auto gradients = tape_gradients(graph, inputs, parameters, weighting, 2);
  ASSERT_EQ(gradients, tape_gradients(graph, inputs, parameters, weighting, 1)) << "one thread and two differ";
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<double> numeric;
    double largest = 1e-3;
    for (int64_t k = 0; k < all[i].view().numel(); ++k) {
      float& x = all[i].f32()[k];
      const float kept = x, nudge = 1e-2f;
      x = kept + nudge;
      const double up = loss();
      x = kept - nudge;
      const double down = loss();
      x = kept;
      numeric.push_back((up - down) / (2.0 * nudge));
      largest = std::max(largest, std::fabs(numeric.back()));
    }
    for (size_t k = 0; k < numeric.size(); ++k)
      ASSERT_NEAR(gradients[i][k], numeric[k], 2e-2 * largest)
          << (i < inputs.size() ? "input " : "parameter ") << i << " element " << k;
  }
}

inline std::vector<int32_t> random_order(Random& random, int64_t n) {
  std::vector<int32_t> order(static_cast<size_t>(n));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  for (size_t i = order.size(); i-- > 1;)
    std::swap(order[i], order[static_cast<size_t>(random.between(0, static_cast<int64_t>(i)))]);
  return order;
}

inline Weight as_weight(const Buffer& b) {
  return {&f32_format, static_cast<const uint8_t*>(b.view().data), b.view().shape[0], b.view().shape[1], nullptr};
}

}  // namespace madang::test
