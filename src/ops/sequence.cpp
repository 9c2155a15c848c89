// What looks along the sequence: attention, causal convolution, selective scan. Work is split over sequences and
// heads or channels, never along a sum.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/ops.h"
#include "ops/split.h"

namespace madang {
namespace {

AttendTask task_of(const AttendSegment& s, const AttentionShape& shape, Tensor q, Tensor out, int kv_head) {
  const int group = shape.heads / shape.kv_heads;
  AttendTask task;
  task.query_stride = shape.heads * shape.key_dim;
  task.out_stride = shape.heads * shape.value_dim;
  task.query = q.f32() + s.offset * task.query_stride + kv_head * group * shape.key_dim;
  task.out = out.f32() + s.offset * task.out_stride + kv_head * group * shape.value_dim;
  task.n = s.length, task.first = s.start;
  task.heads = group, task.key_dim = shape.key_dim, task.value_dim = shape.value_dim;
  task.scale = shape.scale, task.window = shape.window, task.chunk = shape.chunk, task.softcap = shape.softcap;
  task.blocks = shape.blocks, task.blocks.shift += kv_head * group * shape.blocks.step;
  if (shape.bias) task.bias = shape.bias.row(kv_head * group), task.bias_stride = shape.bias.cols();
  task.kv = s.pages.of_head(kv_head);
  return task;
}

// Queries that one thread takes at a time: one block of keys is decoded once for all of them.
constexpr int64_t query_grain = 64;

void attend_all(Ctx& c, std::span<const AttendTask> tasks) {
  struct Piece {
    const AttendTask* task;
    int64_t begin;
  };
  std::vector<Piece> pieces;
  for (const AttendTask& task : tasks)
    for (int64_t i = 0; i < task.n; i += query_grain) pieces.push_back({&task, i});
  c.pool.parallel(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      AttendTask part = *pieces[static_cast<size_t>(p)].task;
      int64_t i = pieces[static_cast<size_t>(p)].begin;
      part.query += i * part.query_stride, part.out += i * part.out_stride;
      if (part.log_sum) part.log_sum += i * part.log_sum_stride;
      part.first += i, part.n = std::min(query_grain, part.n - i);
      c.kernels.attend(part);
    }
  });
}

void keep_log_sum(AttendTask& task, const AttendSegment& s, Tensor log_sum, int kv_head) {
  task.log_sum_stride = log_sum.cols();
  task.log_sum = log_sum.row(s.offset) + kv_head * task.heads;
}

// A sink joins the sum under the softmax: out shrinks by exp(log_sum - joint), and with `joint` for log_sum all that
// attend_back computes holds as it is.
void sink(Tensor out, Tensor log_sum, const AttentionShape& shape) {
  for (int64_t t = 0; t < out.rows(); ++t)
    for (int h = 0; h < shape.heads; ++h) {
      const double before = log_sum.row(t)[h], score = shape.sinks.f32()[h];
      const double joint = std::max(before, score) + std::log1p(std::exp(-std::abs(before - score)));
      const auto keep = static_cast<float>(std::exp(before - joint));
      float* o = out.row(t) + h * shape.value_dim;
      for (int d = 0; d < shape.value_dim; ++d) o[d] *= keep;
      log_sum.row(t)[h] = static_cast<float>(joint);
    }
}

// d out / d sink = -exp(sink - joint) out.
void sink_back(const Ctx& c, Tensor out, Tensor log_sum, const float* dout, const AttentionShape& shape) {
  float* dsink = c.tape->wanted(shape.sinks.data);
  if (!dsink) return;
  for (int64_t t = 0; t < out.rows(); ++t)
    for (int h = 0; h < shape.heads; ++h) {
      const int64_t at = t * out.cols() + h * shape.value_dim;
      dsink[h] -= std::exp(shape.sinks.f32()[h] - log_sum.row(t)[h]) *
                  c.kernels.dot(out.f32() + at, dout + at, shape.value_dim);
    }
}

}  // namespace

Tensor attention(Ctx& c, Tensor q, std::span<const AttendSegment> segments, const AttentionShape& shape) {
  assert(!c.tape);
  Tensor out = c.make({q.shape[0], shape.heads * shape.value_dim});
  Tensor log_sum = shape.sinks ? c.make({q.shape[0], shape.heads}) : Tensor();
  std::vector<AttendTask> tasks;
  for (const AttendSegment& s : segments)
    for (int h = 0; h < shape.kv_heads; ++h) {
      tasks.push_back(task_of(s, shape, q, out, h));
      if (shape.sinks) keep_log_sum(tasks.back(), s, log_sum, h);
    }
  attend_all(c, tasks);
  if (shape.sinks) sink(out, log_sum, shape);
  return out;
}

Tensor attention(Ctx& c, Tensor q, Tensor k, Tensor v, std::span<const AttendSegment> segments,
                 const AttentionShape& shape) {
  Tensor out = c.make({q.shape[0], shape.heads * shape.value_dim});
  Tensor log_sum = c.make({q.shape[0], shape.heads});
  const int64_t key_width = shape.kv_heads * shape.key_dim, value_width = shape.kv_heads * shape.value_dim;
  std::vector<AttendTask> tasks;
  for (AttendSegment s : segments) {
    // The packed rows are the pages: page i begins kv_block rows behind page i - 1.
    const int64_t pages = (s.length + kv_block - 1) / kv_block;
    auto* key_pages = c.arena.take_array<const std::byte*>(pages);
    auto* value_pages = c.arena.take_array<const std::byte*>(pages);
    for (int64_t i = 0; i < pages; ++i) {
      key_pages[i] = reinterpret_cast<const std::byte*>(k.f32() + (s.offset + i * kv_block) * key_width);
      value_pages[i] = reinterpret_cast<const std::byte*>(v.f32() + (s.offset + i * kv_block) * value_width);
    }
    s.start = 0;
    s.pages = {.keys = key_pages,
               .values = value_pages,
               .key_row = key_width * 4,
               .value_row = value_width * 4,
               .key_step = shape.key_dim * 4,
               .value_step = shape.value_dim * 4};
    for (int h = 0; h < shape.kv_heads; ++h) {
      AttendTask task = task_of(s, shape, q, out, h);
      keep_log_sum(task, s, log_sum, h);
      tasks.push_back(task);
    }
  }
  attend_all(c, tasks);
  if (shape.sinks) sink(out, log_sum, shape);
  if (c.tape)
    c.tape->record([c, q, k, v, out, log_sum, shape, key_width, value_width, tasks = std::move(tasks)] {
      const float* dout = c.tape->grad(out);
      if (shape.sinks) sink_back(c, out, log_sum, dout, shape);
      float *dq = c.tape->grad(q), *dk = c.tape->grad(k), *dv = c.tape->grad(v);
      c.pool.parallel(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
        for (const AttendTask& task :
             std::span(tasks).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin))) {
          const int64_t key_at = reinterpret_cast<const float*>(task.kv.keys[0] + task.kv.key_head) - k.f32();
          const int64_t value_at = reinterpret_cast<const float*>(task.kv.values[0] + task.kv.value_head) - v.f32();
          c.kernels.attend_back(task, dout + (task.out - out.f32()), dq + (task.query - q.f32()), dk + key_at,
                                key_width, dv + value_at, value_width);
        }
      });
    });
  return out;
}

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
