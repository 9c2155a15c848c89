// Attention. Work is split over sequences, heads and queries; where those are fewer than would keep the threads busy,
// over spans of keys, at the absolute positions at which they are summed apart in any case.
#include <algorithm>
#include <cmath>

#include "kernels/attention.h"
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
// So few of them may have their keys shared out, for what each share gathers must be kept: an answer's, guesses'.
constexpr int64_t few_queries = 12;
// Pieces a thread that make up for one thread being held up, or for there being an odd number of them.
constexpr int64_t pieces_enough = 4;

std::vector<AttendTask> pieces_of(std::span<const AttendTask> tasks) {
  std::vector<AttendTask> pieces;
  for (const AttendTask& task : tasks)
    for (int64_t i = 0; i < task.n; i += query_grain) {
      AttendTask& part = pieces.emplace_back(task);
      part.query += i * part.query_stride, part.out += i * part.out_stride;
      if (part.log_sum) part.log_sum += i * part.log_sum_stride;
      part.first += i, part.n = std::min(query_grain, part.n - i);
    }
  return pieces;
}

// Every span of every piece where there is a thread for it; then they join.
void attend_by_spans(Ctx& c, std::span<const AttendTask> pieces) {
  struct Share {
    size_t piece;
    int64_t span;
  };
  std::vector<Share> shares;
  std::vector<AttendPart> parts;
  std::vector<size_t> first;  // of each piece's shares
  for (size_t p = 0; p < pieces.size(); ++p) {
    first.push_back(shares.size());
    for (int64_t span = pieces[p].first_span(); span < pieces[p].end_span(); ++span) {
      shares.push_back({p, span});
      float* memory = c.arena.take_array<float>(AttendPart::floats(pieces[p]));
      parts.push_back(span == pieces[p].first_span() ? AttendPart::in_place(memory, pieces[p])
                                                     : AttendPart::in(memory, pieces[p]));
    }
  }
  first.push_back(shares.size());
  c.pool.parallel(static_cast<int64_t>(shares.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      c.kernels.attend(pieces[shares[i].piece], shares[i].span, parts[i]);
  });
  const int64_t spans = pieces[0].end_span() - pieces[0].first_span(), gathered = spans * AttendPart::floats(pieces[0]);
  each_row(c, static_cast<int64_t>(pieces.size()), gathered, [&](int64_t p) {
    const auto at = static_cast<size_t>(p);
    attend_end(c.kernels, pieces[at], std::span(parts).subspan(first[at], first[at + 1] - first[at]));
  });
}

void attend_all(Ctx& c, std::span<const AttendTask> tasks) {
  const std::vector<AttendTask> pieces = pieces_of(tasks);
  const bool few = static_cast<int64_t>(pieces.size()) < pieces_enough * c.pool.size() &&
                   std::ranges::all_of(pieces, [](const AttendTask& p) { return p.n <= few_queries; });
  if (few && c.pool.size() > 1 && !pieces.empty()) return attend_by_spans(c, pieces);
  c.pool.parallel(static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) attend(c.kernels, pieces[static_cast<size_t>(p)]);
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

}  // namespace madang
