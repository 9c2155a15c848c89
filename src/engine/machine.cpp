#include "engine/machine.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/slabs.h"
#include "tensor/tensor.h"

namespace madang {
namespace {

using Clock = std::chrono::steady_clock;

// Seconds of the fastest of several calls: a limit is what the machine can do when nobody disturbs it.
template <class Work>
double fastest(double budget, Work&& work) {
  double best = 1e30, spent = 0;
  work();
  for (int calls = 0; calls < 3 || spent < budget; ++calls) {
    const auto begin = Clock::now();
    work();
    const double s = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::min(best, s), spent += s;
  }
  return best;
}

double read_rate(ThreadPool& pool) {
  // 1 GiB: more than the caches of the largest servers hold. Sixty-four sums, so that adding does not hold reading
  // back.
  constexpr int64_t pieces = 2048, piece = 128 << 10;
  const auto memory = Slabs().take(pieces * piece * sizeof(float));  // on pages like those of packed weights
  auto* numbers = reinterpret_cast<float*>(memory.get());
  std::fill(numbers, numbers + pieces * piece, 1.0f);  // pages of its own, not one page of zeros
  std::vector<float> sink(pieces);
  const double s = fastest(0.4, [&] {
    pool.parallel(pieces, 4, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const float* p = numbers + at * piece;
        float sum[64] = {};
        for (int64_t i = 0; i < piece; i += 64)
          for (int j = 0; j < 64; ++j) sum[j] += p[i + j];
        for (float part : sum) sink[static_cast<size_t>(at)] += part;
      }
    });
  });
  return static_cast<double>(pieces * piece * 4) / s;
}

double multiply_rate(ThreadPool& pool, const Kernels& k) {
  constexpr int64_t rows = 8, cols = 512, tokens = 12, calls = 4096;
  Buffer w(DType::f32, {rows, cols}), x(DType::f32, {tokens, cols}), y(DType::f32, {tokens, rows * 64});
  const Weight weight{.format = &f32_format,
                      .bytes = static_cast<const uint8_t*>(w.view().data),
                      .rows = rows,
                      .cols = cols,
                      .owner = nullptr};
  const double s = fastest(0.2, [&] {
    pool.parallel(calls, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        k.matmul_exact(weight, x.f32(), tokens, 0, rows, y.f32() + i % 64 * rows, rows * 64);
    });
  });
  return static_cast<double>(calls * rows * cols * tokens) / s;
}

double integer_rate(ThreadPool& pool, const Kernels& k) {
  constexpr int64_t rows = 64, cols = 512, tokens = 48, calls = 2048;
  const Format& format = *format_by_name("Q8_0");
  std::vector<uint8_t> blocks(static_cast<size_t>(rows * format.row_bytes(cols)), 1);  // small codes and scales
  const Weight weight{.format = &format, .bytes = blocks.data(), .rows = rows, .cols = cols, .owner = nullptr};
  const Panels panels = pack(weight, pool);
  Buffer x(DType::f32, {tokens, cols}), y(DType::f32, {tokens, rows * 64});
  std::fill(x.f32(), x.f32() + tokens * cols, 0.5f);
  Int8Rows q{.rows = tokens, .cols = cols, .tile = k.int8_tile(tokens)};
  std::vector<int8_t> code(static_cast<size_t>(q.slots() * 32));
  std::vector<float> scale(static_cast<size_t>(q.slots())), low(scale.size());
  std::vector<int32_t> less(scale.size() * 3);
  q.code = code.data(), q.scale = scale.data(), q.low = low.data(), q.less = less.data();
  k.to_int8(x.f32(), 0, tokens, q);
  const double s = fastest(0.2, [&] {
    pool.parallel(calls, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        k.matmul_fast(panels, q, 0, panels.count(), y.f32() + i % 64 * rows, rows * 64);
    });
  });
  return static_cast<double>(calls * rows * cols * tokens) / s;
}

double bf16_rate(ThreadPool& pool, const Kernels& k) {
  constexpr int64_t rows = 64, cols = 2048, tokens = 256,
                    calls = 128;  // as a prompt's: a weight is turned once for all
  std::vector<uint16_t> numbers(static_cast<size_t>(rows * cols), 0x3F99), rounded(tokens * cols);
  const Weight weight{.format = &bf16_format,
                      .bytes = reinterpret_cast<const uint8_t*>(numbers.data()),
                      .rows = rows,
                      .cols = cols,
                      .owner = nullptr};
  Buffer x(DType::f32, {tokens, cols}), y(DType::f32, {tokens, rows * 64});
  std::fill(x.f32(), x.f32() + tokens * cols, 0.7f);
  const Bf16Rows q{.rows = tokens, .cols = cols, .number = rounded.data()};
  k.to_bf16(x.f32(), 0, tokens, q);
  const double s = fastest(0.2, [&] {
    pool.parallel(calls, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) k.matmul_bf16(weight, q, 0, rows, y.f32() + i % 64 * rows, rows * 64);
    });
  });
  return static_cast<double>(calls * rows * cols * tokens) / s;
}

}  // namespace

MachineLimits measure_limits(ThreadPool& pool, const Kernels& kernels) {
  ThreadPool alone(1);
  return {.read_bytes = read_rate(pool),
          .multiplies_f32 = multiply_rate(pool, kernels),
          .multiplies_int8 = integer_rate(pool, kernels),
          .multiplies_bf16 = kernels.bf16 ? bf16_rate(pool, kernels) : 0,
          .multiplies_alone = multiply_rate(alone, kernels)};
}

}  // namespace madang
