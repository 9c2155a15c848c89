// What remembers in a fixed number of floats besides scans: the token before, weighted averages, matrix memories; and
// the products around them. Work is split over sequences, channels and rows of a memory, never along a sum.
#include <cmath>

#include "ops/ops.h"
#include "ops/split.h"

namespace madang {
namespace {

/// Where row t of `x` begins in something of its shape or of one row for all.
int64_t place(const Tensor& one, const Tensor& x, int64_t t) { return one.numel() == x.cols() ? 0 : t * x.cols(); }

}  // namespace

Tensor mul(Ctx& c, Tensor a, Tensor b) {
  assert(b.numel() == a.numel() || b.numel() == a.cols());
  const int64_t width = a.cols();
  Tensor y = c.make(a.shape);
  each_row(c, a.rows(), width, [&](int64_t t) {
    const float* by = b.f32() + place(b, a, t);
    for (int64_t i = 0; i < width; ++i) y.row(t)[i] = a.row(t)[i] * by[i];
  });
  if (c.tape)
    c.tape->record([c, a, b, y, width] {
      const float* dy = c.tape->grad(y);
      float *da = gradient_of(c, a), *db = gradient_of(c, b);
      for (int64_t t = 0; t < a.rows(); ++t)
        for (int64_t i = 0, at = t * width, by = place(b, a, t); i < width; ++i) {
          da[at + i] += dy[at + i] * b.f32()[by + i];
          db[by + i] += dy[at + i] * a.f32()[at + i];
        }
    });
  return y;
}

Tensor add_row(Ctx& c, Tensor x, Tensor row) {
  const int64_t width = x.cols();
  assert(row.numel() == width);
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), width, [&](int64_t t) { c.kernels.add(x.row(t), row.f32(), width, y.row(t)); });
  if (c.tape)
    c.tape->record([c, x, row, y, width] {
      const float* dy = c.tape->grad(y);
      float *dx = c.tape->grad(x), *drow = gradient_of(c, row);
      c.kernels.add(dx, dy, y.numel(), dx);
      for (int64_t t = 0; t < y.rows(); ++t) c.kernels.add(drow, dy + t * width, width, drow);
    });
  return y;
}

Tensor mix(Ctx& c, Tensor a, Tensor b, Tensor share) {
  assert(a.numel() == b.numel() && (share.numel() == a.numel() || share.numel() == a.cols()));
  const int64_t width = a.cols();
  Tensor y = c.make(a.shape);
  each_row(c, a.rows(), width, [&](int64_t t) {
    const float* of = share.f32() + place(share, a, t);
    for (int64_t i = 0; i < width; ++i) y.row(t)[i] = std::fma(a.row(t)[i] - b.row(t)[i], of[i], b.row(t)[i]);
  });
  if (c.tape)
    c.tape->record([c, a, b, share, y, width] {
      const float* dy = c.tape->grad(y);
      float *da = c.tape->grad(a), *db = c.tape->grad(b), *dshare = gradient_of(c, share);
      for (int64_t t = 0; t < a.rows(); ++t)
        for (int64_t i = 0, at = t * width, of = place(share, a, t); i < width; ++i) {
          const float d = dy[at + i], s = share.f32()[of + i];
          da[at + i] += d * s, db[at + i] += d * (1 - s);
          dshare[of + i] += d * (a.f32()[at + i] - b.f32()[at + i]);
        }
    });
  return y;
}

Tensor dots(Ctx& c, Tensor a, Tensor b) {
  assert(a.numel() == b.numel());
  const int64_t width = a.cols();
  Tensor y = c.make({a.rows(), 1});
  each_row(c, a.rows(), width, [&](int64_t t) { *y.row(t) = c.kernels.dot(a.row(t), b.row(t), width); });
  if (c.tape)
    c.tape->record([c, a, b, y, width] {
      const float* dy = c.tape->grad(y);
      float *da = c.tape->grad(a), *db = c.tape->grad(b);
      for (int64_t i = 0; i < a.numel(); ++i) {
        da[i] += dy[i / width] * b.f32()[i];
        db[i] += dy[i / width] * a.f32()[i];
      }
    });
  return y;
}

Tensor exponential(Ctx& c, Tensor x) {
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), x.cols(), [&](int64_t t) {
    for (int64_t i = 0; i < x.cols(); ++i) y.row(t)[i] = std::exp(x.row(t)[i]);
  });
  if (c.tape)
    c.tape->record([c, x, y] {
      const float* dy = c.tape->grad(y);
      float* dx = gradient_of(c, x);
      for (int64_t i = 0; i < y.numel(); ++i) dx[i] += dy[i] * y.f32()[i];
    });
  return y;
}

Tensor previous(Ctx& c, Tensor x, std::span<const RecurrentSegment> segments) {
  const auto row = static_cast<size_t>(x.cols()) * sizeof(float);
  Tensor y = c.make(x.shape);
  for (const RecurrentSegment& s : segments) {
    if (s.length == 0) continue;
    if (s.state)
      std::memcpy(y.row(s.offset), s.state, row);
    else
      std::memset(y.row(s.offset), 0, row);
    std::memcpy(y.row(s.offset) + x.cols(), x.row(s.offset), static_cast<size_t>(s.length - 1) * row);
    if (s.state) std::memcpy(s.state, x.row(s.offset + s.length - 1), row);
  }
  if (c.tape)
    c.tape->record([c, x, y, segments = std::vector(segments.begin(), segments.end())] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (const RecurrentSegment& s : segments) {
        const int64_t at = s.offset * x.cols(), n = std::max<int64_t>(0, s.length - 1) * x.cols();
        c.kernels.add(dx + at, dy + at + x.cols(), n, dx + at);
      }
    });
  return y;
}

Tensor wkv(Ctx& c, Tensor w, Tensor u, Tensor k, Tensor v, std::span<const RecurrentSegment> segments) {
  const int64_t channels = k.cols();
  Tensor y = c.make(k.shape);
  std::vector<WkvTask> tasks;
  for (const RecurrentSegment& s : segments)
    tasks.push_back({.n = s.length,
                     .channels = channels,
                     .k = k.row(s.offset),
                     .v = v.row(s.offset),
                     .w = w.f32(),
                     .u = u.f32(),
                     .state = s.state ? s.state : zeros(c, 3 * channels),
                     .y = y.row(s.offset),
                     .history = c.tape ? c.arena.take_array<float>(s.length * 3 * channels) : nullptr});
  each_channel(c, std::span<const WkvTask>(tasks), channels, [&](const WkvTask& t) { c.kernels.wkv(t); });
  if (c.tape)
    c.tape->record([c, w, u, k, v, y, channels, tasks = std::move(tasks)] {
      const float* dy = c.tape->grad(y);
      float *dk = c.tape->grad(k), *dv = c.tape->grad(v), *dw = gradient_of(c, w), *du = gradient_of(c, u);
      for (const WkvTask& task : tasks)  // one sequence after the other: dw and du are summed over all
        each_channel(c, std::span<const WkvTask>(&task, 1), channels, [&](const WkvTask& part) {
          const int64_t at = part.k - k.f32();
          c.kernels.wkv_back(part, dy + at, dk + at, dv + at, dw, du);
        });
    });
  return y;
}

namespace {

MemoryTask task_of(Ctx& c, const Heard& in, const RecurrentSegment& s, Tensor y) {
  const int64_t H = in.heads, K = in.k.cols() / H, V = in.v.cols() / H;
  auto row = [&](const Tensor& x) -> const float* { return x ? x.f32() + s.offset * x.cols() : nullptr; };
  assert(in.decay.cols() == H * K || in.decay.cols() == H);
  MemoryTask m{.n = s.length, .heads = H, .keys = K, .values = V};
  m.r = row(in.r), m.k = row(in.k), m.v = row(in.v), m.a = row(in.a), m.b = row(in.b);
  m.w_key = in.decay.cols() == H * K, m.w_head = in.decay.cols() / H;
  m.w_token = in.decay.rows() == 1 ? 0 : in.decay.cols();  // one row: for all tokens
  m.w = in.decay.f32() + s.offset * m.w_token;
  m.fresh = in.fresh, m.S = s.state ? s.state : zeros(c, H * V * K), m.y = y.row(s.offset);
  if (c.tape) m.history = c.arena.take_array<float>((s.length + 1) * H * V * K);
  return m;
}

}  // namespace

Tensor matrix_memory(Ctx& c, const Heard& in, std::span<const RecurrentSegment> segments) {
  const int64_t values = in.v.cols() / in.heads;
  Tensor y = c.make(in.v.shape);
  std::vector<MemoryTask> tasks;
  for (const RecurrentSegment& s : segments) tasks.push_back(task_of(c, in, s, y));
  each_channel(c, std::span<const MemoryTask>(tasks), in.v.cols(), [&](const MemoryTask& t) { c.kernels.memory(t); });
  if (c.tape)
    c.tape->record([c, in, y, values, tasks = std::move(tasks)] {
      auto gradient = [&](const Tensor& x, const float* at) {
        return x ? gradient_of(c, x) + (at - x.f32()) : nullptr;
      };
      for (const MemoryTask& task : tasks) {  // one sequence after the other: dw may be summed over all
        const float* dy = c.tape->grad(y) + (task.y - y.f32());
        float *dr = gradient(in.r, task.r), *dk = gradient(in.k, task.k), *dv = gradient(in.v, task.v),
              *da = gradient(in.a, task.a), *db = gradient(in.b, task.b), *dw = gradient(in.decay, task.w);
        each_channel(
            c, std::span<const MemoryTask>(&task, 1), in.v.cols(),
            [&](const MemoryTask& part) { c.kernels.memory_back(part, dy, dr, dk, da, db, dv, dw); }, values);
      }
    });
  return y;
}

}  // namespace madang
