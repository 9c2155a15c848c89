// Looking up rows and multiplying with weights.
#include <algorithm>
#include <cstring>

#include "ops/ops.h"

namespace madang {
namespace {

// Rows of a weight that one thread takes at a time: large enough that taking costs nothing, small enough that two
// threads finish together; a multiple of every kernel's row tile and of a panel.
constexpr int64_t row_grain = 32;

Int8Rows to_int8(Ctx& c, Tensor x) {
  Int8Rows q{.rows = x.rows(), .cols = x.cols(), .tile = Int8Rows::tile_of(x.rows())};
  q.code = c.arena.take_array<int8_t>(q.slots() * 32);
  q.scale = c.arena.take_array<float>(q.slots());
  q.low = c.arena.take_array<float>(q.slots());
  q.less = c.arena.take_array<int32_t>(q.slots() * 3);
  c.pool.parallel(q.rows, Int8Rows::most,
                  [&](int64_t begin, int64_t end) { c.kernels.to_int8(x.f32(), begin, end, q); });
  return q;
}

// Integer products, with the weight's packed form or, where there is none, one that lives as long as the product.
void multiply_fast(Ctx& c, const Weight& w, Tensor x, Tensor y) {
  const Int8Rows q = to_int8(c, x);
  if (w.packing) {
    const Panels& panels = w.packing->get(w, c.pool);
    c.pool.parallel(panels.count(), row_grain / panel_rows,
                    [&](int64_t begin, int64_t end) { c.kernels.matmul_fast(panels, q, begin, end, y.f32(), w.rows); });
    return;
  }
  c.pool.parallel(w.rows, row_grain, [&](int64_t begin, int64_t end) {
    std::unique_ptr<uint8_t[]> memory;
    size_t size = 0;
    for (int64_t r = begin; r < end; r += panel_rows) {
      const Panels panel = pack_loose(w, r, std::min(end, r + panel_rows), memory, size);
      c.kernels.matmul_fast(panel, q, 0, 1, y.f32() + r, w.rows);
    }
  });
}

void add_bias(Ctx& c, Tensor y, Tensor bias) {
  for (int64_t t = 0; t < y.rows(); ++t) c.kernels.add(y.row(t), bias.f32(), y.cols(), y.row(t));
}

}  // namespace

Tensor embed(Ctx& c, const Weight& table, std::span<const int32_t> ids) {
  Tensor y = c.make({static_cast<int64_t>(ids.size()), table.cols});
  for (size_t t = 0; t < ids.size(); ++t)
    table.format->decode(table.row(ids[t]), table.cols, y.row(static_cast<int64_t>(t)));
  if (c.tape)
    if (float* dw = c.tape->wanted(table.bytes)) {
      std::vector<int32_t> kept(ids.begin(), ids.end());
      c.tape->record([tape = c.tape, y, dw, kept = std::move(kept)] {
        const float* dy = tape->grad(y);
        for (size_t t = 0; t < kept.size(); ++t)
          for (int64_t i = 0; i < y.cols(); ++i)
            dw[kept[t] * y.cols() + i] += dy[static_cast<int64_t>(t) * y.cols() + i];
      });
    }
  return y;
}

Tensor linear(Ctx& c, const Weight& w, Tensor bias, Tensor x) {
  assert(x.cols() == w.cols);
  if (c.observer) c.observer(w, x);
  const int64_t n = x.rows();
  Tensor y = c.make({n, w.rows});
  if (c.compute == Compute::fast && w.format->codes && w.cols % 32 == 0)
    multiply_fast(c, w, x, y);
  else
    c.pool.parallel(w.rows, row_grain, [&](int64_t begin, int64_t end) {
      c.kernels.matmul_exact(w, x.f32(), n, begin, end, y.f32(), w.rows);
    });
  if (bias) add_bias(c, y, bias);
  if (c.tape)
    c.tape->record([c, w, bias, x, y, n] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      c.pool.parallel(n, 8, [&](int64_t begin, int64_t end) { c.kernels.matmul_dx(w, dy, n, begin, end, dx); });
      if (float* dw = c.tape->wanted(w.bytes))
        c.pool.parallel(w.rows, row_grain, [&](int64_t begin, int64_t end) {
          c.kernels.matmul_dw(x.f32(), dy, n, w.rows, w.cols, begin, end, dw);
        });
      if (float* db = bias ? c.tape->wanted(bias.data) : nullptr)
        for (int64_t t = 0; t < n; ++t) c.kernels.add(db, dy + t * w.rows, w.rows, db);
    });
  return y;
}

Tensor rows(Ctx& c, Tensor x, std::span<const int32_t> which) {
  const int64_t n = static_cast<int64_t>(which.size()), width = x.cols();
  Tensor y = c.make({n, width});
  for (int64_t i = 0; i < n; ++i)
    std::memcpy(y.row(i), x.row(which[static_cast<size_t>(i)]), static_cast<size_t>(width) * 4);
  if (c.tape) {
    std::vector<int32_t> kept(which.begin(), which.end());
    c.tape->record([c, x, y, n, width, kept = std::move(kept)] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t i = 0; i < n; ++i) {
        float* to = dx + kept[static_cast<size_t>(i)] * width;
        c.kernels.add(to, dy + i * width, width, to);
      }
    });
  }
  return y;
}

Tensor columns(Ctx& c, Tensor x, int64_t begin, int64_t n) {
  const int64_t width = x.cols();
  Tensor y = c.make({x.rows(), n});
  for (int64_t t = 0; t < x.rows(); ++t) std::memcpy(y.row(t), x.row(t) + begin, static_cast<size_t>(n) * 4);
  if (c.tape)
    c.tape->record([c, x, y, begin, n, width] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t t = 0; t < y.rows(); ++t)
        c.kernels.add(dx + t * width + begin, dy + t * n, n, dx + t * width + begin);
    });
  return y;
}

}  // namespace madang
