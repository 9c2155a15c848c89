// What is carried along the sequence: causal convolution, selective scan, Mamba-2's scan. Work is split over sequences
// and heads or channels, never along a sum.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/ops.h"
#include "ops/split.h"

namespace madang {

Tensor causal_conv(Ctx& c, Tensor x, Tensor w, Tensor bias, std::span<const RecurrentSegment> segments) {
  const int64_t channels = x.cols(), width = w.cols();
  Tensor y = c.make(x.shape);
  std::vector<ConvTask> tasks;
  for (const RecurrentSegment& s : segments)
    tasks.push_back({.n = s.length,
                     .channels = channels,
                     .width = width,
                     .x = x.row(s.offset),
                     .w = w.f32(),
                     .bias = bias ? bias.f32() : nullptr,
                     .past = s.state ? s.state : zeros(c, (width - 1) * channels),
                     .y = y.row(s.offset)});
  each_channel(c, std::span<const ConvTask>(tasks), channels, [&](const ConvTask& t) { c.kernels.conv(t); });
  if (c.tape)
    c.tape->record([c, x, w, bias, y, channels, tasks = std::move(tasks)] {
      const float* dy = c.tape->grad(y);
      float *dx = c.tape->grad(x), *dw = c.tape->wanted(w.data), *db = bias ? c.tape->wanted(bias.data) : nullptr;
      for (const ConvTask& task : tasks)  // one sequence after the other: dw is summed over all
        each_channel(c, std::span<const ConvTask>(&task, 1), channels, [&](const ConvTask& part) {
          const int64_t at = part.x - x.f32();
          c.kernels.conv_back(part, dy + at, dx + at, dw, db);
        });
    });
  return y;
}

Tensor selective_scan(Ctx& c, Tensor x, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor D,
                      std::span<const RecurrentSegment> segments) {
  const int64_t channels = x.cols(), states = A.cols();
  Tensor y = c.make(x.shape);
  std::vector<ScanTask> tasks;
  for (const RecurrentSegment& s : segments)
    tasks.push_back({.n = s.length,
                     .channels = channels,
                     .states = states,
                     .x = x.row(s.offset),
                     .delta = delta.row(s.offset),
                     .A = A.f32(),
                     .D = D.f32(),
                     .B = B.row(s.offset),
                     .C = C.row(s.offset),
                     .bc_stride = states,
                     .h = s.state ? s.state : zeros(c, channels * states),
                     .y = y.row(s.offset),
                     .history = c.tape ? c.arena.take_array<float>((s.length + 1) * channels * states) : nullptr});
  each_channel(c, std::span<const ScanTask>(tasks), channels, [&](const ScanTask& t) { c.kernels.scan(t); });
  if (c.tape)
    c.tape->record([c, x, delta, A, B, C, D, y, channels, tasks = std::move(tasks)] {
      const float* dy = c.tape->grad(y);
      float *dx = c.tape->grad(x), *ddelta = c.tape->grad(delta), *dA = c.tape->grad(A), *dD = c.tape->wanted(D.data);
      for (const ScanTask& task : tasks) {
        const int64_t at = task.x - x.f32(), bc = task.B - B.f32();
        // dB and dC sum over channels: in order, on one thread.
        ScanTask all = task;
        all.begin = 0, all.end = channels;
        c.kernels.scan_back(all, dy + at, dx + at, ddelta + at, dA, dD, c.tape->grad(B) + bc, c.tape->grad(C) + bc);
      }
    });
  return y;
}

Tensor step_sizes(Ctx& c, Tensor x, Tensor bias, float least, float most) {
  const int64_t heads = x.cols();
  Tensor shifted = c.make(x.shape), y = c.make(x.shape);
  for (int64_t t = 0; t < x.rows(); ++t) {
    c.kernels.add(x.row(t), bias.f32(), heads, shifted.row(t));
    c.kernels.act(Act::softplus, shifted.row(t), heads, y.row(t));
    for (int64_t i = 0; i < heads; ++i) y.row(t)[i] = std::clamp(y.row(t)[i], least, most);
  }
  if (c.tape)
    c.tape->record([c, x, bias, shifted, y, heads, least, most] {
      float *inside = zeros(c, y.numel()), *shift = zeros(c, y.numel());
      const float* dy = c.tape->grad(y);
      for (int64_t i = 0; i < y.numel(); ++i)  // what was cut has no slope
        if (y.f32()[i] > least && y.f32()[i] < most) inside[i] = dy[i];
      c.kernels.act_back(Act::softplus, shifted.f32(), inside, y.numel(), shift);
      float *dx = c.tape->grad(x), *dbias = c.tape->wanted(bias.data);
      for (int64_t t = 0; t < y.rows(); ++t, dx += heads, shift += heads) {
        c.kernels.add(dx, shift, heads, dx);
        if (dbias) c.kernels.add(dbias, shift, heads, dbias);
      }
    });
  return y;
}

namespace {

// Heads that one thread takes at a time.
int64_t head_grain(const SsdTask& task) { return std::max<int64_t>(1, channel_grain / task.head_dim); }

// Adds what each head of a group says to the group's, in order.
void sum_groups(const SsdTask& task, const float* own, float* to) {
  for (int64_t i = 0; i < task.heads; ++i)
    for (int64_t t = 0; t < task.n; ++t) {
      const float* from = own + (i * task.n + t) * task.states;
      float* sum = to + t * task.groups * task.states + task.states_of(i);
      for (int64_t k = 0; k < task.states; ++k) sum[k] += from[k];
    }
}

void ssd_back(const Ctx& c, const SsdTask& task, int64_t offset, Tensor x, Tensor delta, Tensor A, Tensor B, Tensor C,
              Tensor D, const float* dy) {
  const int64_t own = task.heads * task.n * task.states;
  float *dB = zeros(c, own), *dC = zeros(c, own);
  const int64_t at = offset * x.cols(), bc = offset * B.cols();
  float *dx = c.tape->grad(x) + at, *ddelta = c.tape->grad(delta) + offset * task.heads;
  float *dA = c.tape->grad(A), *dD = c.tape->wanted(D.data);
  each_channel(
      c, std::span<const SsdTask>(&task, 1), task.heads,
      [&](const SsdTask& part) { c.kernels.ssd_back(part, dy + at, dx, ddelta, dA, dD, dB, dC); }, head_grain(task));
  sum_groups(task, dB, c.tape->grad(B) + bc), sum_groups(task, dC, c.tape->grad(C) + bc);
}

}  // namespace

Tensor ssd(Ctx& c, Tensor x, Tensor delta, Tensor A, Tensor B, Tensor C, Tensor D, int64_t groups,
           std::span<const RecurrentSegment> segments) {
  const int64_t heads = delta.cols(), states = B.cols() / groups;
  Tensor y = c.make(x.shape);
  std::vector<SsdTask> tasks;
  for (const RecurrentSegment& s : segments)
    tasks.push_back({.n = s.length,
                     .heads = heads,
                     .head_dim = x.cols() / heads,
                     .groups = groups,
                     .states = states,
                     .x = x.row(s.offset),
                     .delta = delta.row(s.offset),
                     .A = A.f32(),
                     .D = D.f32(),
                     .B = B.row(s.offset),
                     .C = C.row(s.offset),
                     .h = s.state ? s.state : zeros(c, x.cols() * states),
                     .y = y.row(s.offset)});
  if (tasks.empty()) return y;
  each_channel(
      c, std::span<const SsdTask>(tasks), heads, [&](const SsdTask& task) { c.kernels.ssd(task); },
      head_grain(tasks[0]));
  if (c.tape)
    c.tape->record([c, x, delta, A, B, C, D, y, tasks = std::move(tasks)] {
      const float* dy = c.tape->grad(y);
      for (const SsdTask& task : tasks)  // one sequence after the other: dA and dD are summed over all
        ssd_back(c, task, (task.x - x.f32()) / x.cols(), x, delta, A, B, C, D, dy);
    });
  return y;
}

}  // namespace madang
