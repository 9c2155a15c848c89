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
  Int8Rows q{.rows = x.rows(), .cols = x.cols(), .tile = c.kernels.int8_tile(x.rows())};
  q.code = c.arena.take_array<int8_t>(q.slots() * 32);
  q.scale = c.arena.take_array<float>(q.slots());
  q.low = c.arena.take_array<float>(q.slots());
  q.less = c.arena.take_array<int32_t>(q.slots() * 3);
  c.pool.parallel(q.rows, c.kernels.tokens,
                  [&](int64_t begin, int64_t end) { c.kernels.to_int8(x.f32(), begin, end, q); });
  return q;
}

Bf16Rows to_bf16(Ctx& c, Tensor x) {
  const Bf16Rows q{.rows = x.rows(), .cols = x.cols(), .number = c.arena.take_array<uint16_t>(x.numel())};
  c.pool.parallel(q.rows, 16, [&](int64_t begin, int64_t end) { c.kernels.to_bf16(x.f32(), begin, end, q); });
  return q;
}

/// x as products want it, each kind made once for all of them.
struct Rounded {
  Int8Rows codes;
  Bf16Rows bf16;
};

bool in_bf16(const Ctx& c, const Weight& w) {
  return c.compute == Compute::fast && c.kernels.bf16 && w.format == &bf16_format && w.cols % 32 == 0 &&
         w.rows * w.cols >= least_in_codes;
}
bool in_integers(const Ctx& c, const Weight& w) { return c.compute == Compute::fast && in_codes(w); }

// Rows [begin, end) of a weight that is packed for as long as the product takes.
void multiply_loose(const Ctx& c, const Product& p, const Int8Rows& q, int64_t begin, int64_t end) {
  std::unique_ptr<uint8_t[]> memory;
  size_t size = 0;
  for (int64_t r = begin; r < end; r += panel_rows) {
    const Panels panel = pack_loose(p.w, r, std::min(end, r + panel_rows), memory, size);
    c.kernels.matmul_fast(panel, q, 0, 1, p.y.f32() + r, p.w.rows);
  }
}

// Rows [begin, end) of one product; `begin` is a multiple of row_grain.
void multiply(const Ctx& c, const Product& p, Tensor x, const Rounded& q, int64_t begin, int64_t end) {
  if (in_bf16(c, p.w)) {
    c.kernels.matmul_bf16(p.w, q.bf16, begin, end, p.y.f32(), p.w.rows);
  } else if (!in_integers(c, p.w)) {
    c.kernels.matmul_exact(p.w, x.f32(), x.rows(), begin, end, p.y.f32(), p.w.rows);
  } else if (p.w.packing) {
    c.kernels.matmul_fast(p.w.packing->get(p.w, c.pool), q.codes, begin / panel_rows,
                          (end + panel_rows - 1) / panel_rows, p.y.f32(), p.w.rows);
  } else {
    multiply_loose(c, p, q.codes, begin, end);
  }
}

// All rows of all products in one go: the threads meet once.
void multiply(Ctx& c, std::span<const Product> products, Tensor x) {
  auto pieces = [](const Product& p) { return (p.w.rows + row_grain - 1) / row_grain; };
  int64_t all = 0;
  Rounded q;
  for (const Product& p : products) {
    all += pieces(p);
    if (in_bf16(c, p.w) && !q.bf16.number) q.bf16 = to_bf16(c, x);
    if (!in_integers(c, p.w)) continue;
    if (!q.codes.code) q.codes = to_int8(c, x);
    if (p.w.packing) p.w.packing->get(p.w, c.pool);  // on all threads, if it is still to be made
  }
  c.pool.parallel(all, 1, [&](int64_t begin, int64_t end) {
    for (const Product& p : products) {
      const int64_t from = std::max<int64_t>(begin, 0) * row_grain, to = std::min(end * row_grain, p.w.rows);
      if (from < to) multiply(c, p, x, q, from, to);
      begin -= pieces(p), end -= pieces(p);
    }
  });
}

// The columns of x as the weight's stand.
Tensor in_order(Ctx& c, Tensor x, const ColumnOrder& order) {
  Tensor y = c.make({x.rows(), x.cols()});
  c.pool.parallel(x.rows(), 8, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* from = x.row(t);
      float* to = y.row(t);
      for (const int32_t i : *order) *to++ = from[i];
    }
  });
  if (c.tape)
    c.tape->record([c, x, y, order] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t t = 0; t < x.rows(); ++t, dx += x.cols(), dy += x.cols())
        for (size_t i = 0; i < order->size(); ++i) dx[(*order)[i]] += dy[i];
    });
  return y;
}

void add_bias(Ctx& c, Tensor y, Tensor bias) {
  for (int64_t t = 0; t < y.rows(); ++t) c.kernels.add(y.row(t), bias.f32(), y.cols(), y.row(t));
}

}  // namespace

Tensor embed(Ctx& c, const Weight& table, std::span<const int32_t> ids) {
  Tensor y = c.make({static_cast<int64_t>(ids.size()), table.cols});
  for (size_t t = 0; t < ids.size(); ++t) {
    float* row = y.row(static_cast<int64_t>(t));
    table.format->decode(table.row(ids[t]), table.cols, row);
    if (table.order) put_back(*table.order, row);
  }
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

namespace {

// Products that take the columns of x as they are.
void together(Ctx& c, std::span<Product> products, Tensor x) {
  const int64_t n = x.rows();
  for (Product& p : products) {
    p.y = c.make({n, p.w.rows});
  }
  multiply(c, products, x);
  for (const Product& p : products) {
    if (p.bias) add_bias(c, p.y, p.bias);
    if (c.tape)
      c.tape->record([c, w = p.w, bias = p.bias, x, y = p.y, n] {
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
  }
}

bool same(const ColumnOrder& a, const ColumnOrder& b) { return a == b || (a && b && *a == *b); }

}  // namespace

void linear(Ctx& c, std::span<Product> products, Tensor x) {
  for (const Product& p : products) {
    assert(x.cols() == p.w.cols);
    if (c.observer) c.observer(p.w, x);
  }
  while (!products.empty()) {
    const ColumnOrder& order = products.front().w.order;
    size_t n = 1;
    while (n < products.size() && same(products[n].w.order, order)) ++n;
    together(c, products.first(n), order ? in_order(c, x, order) : x);
    products = products.subspan(n);
  }
}

Tensor linear(Ctx& c, const Weight& w, Tensor bias, Tensor x) {
  Product product{w, bias, {}};
  linear(c, {&product, 1}, x);
  return product.y;
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
