// How ops split their work over outputs, and what their gradients share.
#pragma once
#include <algorithm>
#include <cstring>
#include <span>

#include "ops/ops.h"

namespace madang {

/// Calls kernel(row) for every row, on all threads. A thread takes about 16 KiB of float32 at a time: enough to be
/// worth handing over.
template <class Kernel>
void each_row(Ctx& c, int64_t n, int64_t width, Kernel&& kernel) {
  const int64_t grain = std::max<int64_t>(1, 4096 / std::max<int64_t>(width, 1));
  c.pool.parallel(n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernel(i);
  });
}

/// Channels that one thread takes at a time.
constexpr int64_t channel_grain = 64;

/// Runs kernel(task) for every task, its channels [begin, end) split over the threads, `grain` at a time.
template <class Task, class Kernel>
void each_channel(const Ctx& c, std::span<const Task> tasks, int64_t channels, Kernel&& kernel,
                  int64_t grain = channel_grain) {
  const int64_t parts = (channels + grain - 1) / grain;
  c.pool.parallel(static_cast<int64_t>(tasks.size()) * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Task part = tasks[static_cast<size_t>(i / parts)];
      part.begin = i % parts * grain;
      part.end = std::min(channels, part.begin + grain);
      kernel(part);
    }
  });
}

inline float* zeros(const Ctx& c, int64_t n) {
  float* p = c.arena.take_array<float>(n);
  std::memset(p, 0, static_cast<size_t>(n) * sizeof(float));
  return p;
}

/// Where the gradient of a value goes that is a parameter or was made of one.
inline float* gradient_of(const Ctx& c, const Tensor& value) {
  float* wanted = c.tape->wanted(value.data);
  return wanted ? wanted : c.tape->grad(value);
}

}  // namespace madang
