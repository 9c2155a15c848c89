// What low-rank adapters add to products: the same matrix from the other side, and columns by their magnitudes.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/ops.h"

namespace madang {

Tensor linear_turned(Ctx& c, const Weight& w, Tensor x) {
  assert(x.cols() == w.rows);
  const int64_t n = x.rows();
  Tensor y = c.make({n, w.cols});
  std::memset(y.data, 0, static_cast<size_t>(y.bytes()));
  c.pool.parallel(n, 8, [&](int64_t begin, int64_t end) { c.kernels.matmul_dx(w, x.f32(), n, begin, end, y.f32()); });
  if (c.tape)
    c.tape->record([c, w, x, y, n]() mutable {
      const float* dy = c.tape->grad(y);
      Tensor more = c.make({n, w.rows});
      c.pool.parallel(w.rows, 32, [&](int64_t begin, int64_t end) {
        c.kernels.matmul_exact(w, dy, n, begin, end, more.f32(), w.rows);
      });
      float* dx = c.tape->grad(x);
      c.kernels.add(dx, more.f32(), more.numel(), dx);
      if (float* dw = c.tape->wanted(w.bytes))
        c.pool.parallel(w.rows, 32, [&](int64_t begin, int64_t end) {
          c.kernels.matmul_dw(dy, x.f32(), n, w.rows, w.cols, begin, end, dw);
        });
    });
  return y;
}

Tensor scale_columns(Ctx& c, Tensor x, Tensor w, Tensor by, Tensor bias) {
  const int64_t width = x.cols();
  Tensor y = c.make(x.shape), factor = c.make({width});
  for (int64_t i = 0; i < width; ++i) factor.f32()[i] = w.f32()[i] / by.f32()[i];
  for (int64_t t = 0; t < x.rows(); ++t) {
    for (int64_t i = 0; i < width; ++i) y.row(t)[i] = x.row(t)[i] * factor.f32()[i];
    if (bias) c.kernels.add(y.row(t), bias.f32(), width, y.row(t));
  }
  if (c.tape)
    c.tape->record([c, x, y, w, by, bias, factor, width] {
      const float* dy = c.tape->grad(y);
      float *dx = c.tape->grad(x), *dw = c.tape->wanted(w.data);
      float* db = bias ? c.tape->wanted(bias.data) : nullptr;
      for (int64_t t = 0; t < x.rows(); ++t, dx += width, dy += width) {
        for (int64_t i = 0; i < width; ++i) dx[i] += dy[i] * factor.f32()[i];
        if (dw)
          for (int64_t i = 0; i < width; ++i) dw[i] += dy[i] * x.row(t)[i] / by.f32()[i];
        if (db) c.kernels.add(db, dy, width, db);
      }
    });
  return y;
}

void row_norms(const Weight& w, const Weight& a, const Weight& b, float factor, int64_t begin, int64_t end,
               float* norms) {
  std::vector<float> row(static_cast<size_t>(w.cols)), more(row.size());
  for (int64_t r = begin; r < end; ++r) {
    w.format->decode(w.row(r), w.cols, row.data());
    std::fill(more.begin(), more.end(), 0.0f);
    for (int64_t k = 0; k < a.rows; ++k) {
      const float by = b.f32()[r * b.cols + k];
      for (size_t i = 0; i < more.size(); ++i) more[i] += by * a.f32()[k * a.cols + static_cast<int64_t>(i)];
    }
    double sum = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      const double both = static_cast<double>(row[i]) + static_cast<double>(factor) * more[i];
      sum += both * both;
    }
    norms[r] = static_cast<float>(std::sqrt(sum));
  }
}

Tensor row_norms(Ctx& c, const Weight& w, const Weight& a, const Weight& b, float factor) {
  Tensor norms = c.make({w.rows});
  c.pool.parallel(w.rows, 32, [&](int64_t begin, int64_t end) { row_norms(w, a, b, factor, begin, end, norms.f32()); });
  return norms;
}

}  // namespace madang
