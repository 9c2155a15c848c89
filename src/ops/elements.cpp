// Norms, elements and positions: row by row, each gradient beside its forward.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/ops.h"
#include "ops/split.h"

namespace madang {
Tensor rms_norm(Ctx& c, Tensor x, Tensor w, float eps, float offset) {
  const int64_t width = x.cols(), pieces = w ? w.numel() / width : 1;
  auto piece = [width, pieces](float* all, int64_t t) { return all ? all + t % pieces * width : nullptr; };
  float* weight = w ? w.f32() : nullptr;
  Tensor y = c.make(x.shape);
  Tensor factor = c.make({x.rows()});
  each_row(c, x.rows(), width, [&](int64_t t) {
    factor.f32()[t] = c.kernels.rms_norm(x.row(t), piece(weight, t), offset, eps, width, y.row(t));
  });
  if (c.tape)
    c.tape->record([c, x, weight, piece, y, factor, offset, width] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      float* dw = weight ? c.tape->wanted(weight) : nullptr;
      for (int64_t t = 0; t < x.rows(); ++t)
        c.kernels.rms_norm_back(x.row(t), piece(weight, t), offset, factor.f32()[t], dy + t * width, width,
                                dx + t * width, piece(dw, t));
    });
  return y;
}

// The root mean square norm of what is left when the mean is taken away.
Tensor layer_norm(Ctx& c, Tensor x, Tensor w, Tensor b, float eps) {
  const int64_t width = x.cols(), pieces = w.numel() / width;
  Tensor y = c.make(x.shape), centered = c.make(x.shape), factor = c.make({x.rows()});
  each_row(c, x.rows(), width, [&](int64_t t) {
    double mean = 0;
    for (int64_t i = 0; i < width; ++i) mean += x.row(t)[i];
    mean /= static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i) centered.row(t)[i] = static_cast<float>(x.row(t)[i] - mean);
    const int64_t piece = t % pieces * width;
    factor.f32()[t] = c.kernels.rms_norm(centered.row(t), w.f32() + piece, 0, eps, width, y.row(t));
    if (b) c.kernels.add(y.row(t), b.f32() + piece, width, y.row(t));
  });
  if (c.tape)
    c.tape->record([c, x, w, b, y, centered, factor, width, pieces] {
      const float* dy = c.tape->grad(y);
      float *dx = c.tape->grad(x), *dw = c.tape->wanted(w.data), *db = b ? c.tape->wanted(b.data) : nullptr;
      std::vector<float> inner(static_cast<size_t>(width));
      for (int64_t t = 0; t < x.rows(); ++t, dy += width, dx += width) {
        const int64_t piece = t % pieces * width;
        std::fill(inner.begin(), inner.end(), 0.0f);
        c.kernels.rms_norm_back(centered.row(t), w.f32() + piece, 0, factor.f32()[t], dy, width, inner.data(),
                                dw ? dw + piece : nullptr);
        double mean = 0;
        for (float d : inner) mean += d;
        mean /= static_cast<double>(width);
        for (int64_t i = 0; i < width; ++i) dx[i] += static_cast<float>(inner[static_cast<size_t>(i)] - mean);
        if (db) c.kernels.add(db + piece, dy, width, db + piece);
      }
    });
  return y;
}

Tensor add(Ctx& c, Tensor a, Tensor b) {
  assert(a.numel() == b.numel());
  Tensor y = c.make(a.shape);
  each_row(c, a.rows(), a.cols(), [&](int64_t t) { c.kernels.add(a.row(t), b.row(t), a.cols(), y.row(t)); });
  if (c.tape)
    c.tape->record([c, a, b, y] {
      const float* dy = c.tape->grad(y);
      for (Tensor in : {a, b}) c.kernels.add(c.tape->grad(in), dy, y.numel(), c.tape->grad(in));
    });
  return y;
}

Tensor scale(Ctx& c, Tensor x, float factor) {
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), x.cols(), [&](int64_t t) { c.kernels.scale(x.row(t), factor, x.cols(), y.row(t)); });
  if (c.tape)
    c.tape->record([c, x, y, factor] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t i = 0; i < y.numel(); ++i) dx[i] += factor * dy[i];
    });
  return y;
}

Tensor scale_rows(Ctx& c, Tensor x, Tensor factors) {
  assert(factors.numel() == x.rows());
  const int64_t width = x.cols();
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), width, [&](int64_t t) { c.kernels.scale(x.row(t), factors.f32()[t], width, y.row(t)); });
  if (c.tape)
    c.tape->record([c, x, factors, y, width] {
      const float* dy = c.tape->grad(y);
      float *dx = c.tape->grad(x), *df = c.tape->grad(factors);
      for (int64_t t = 0; t < x.rows(); ++t) {
        for (int64_t i = 0; i < width; ++i) dx[t * width + i] += factors.f32()[t] * dy[t * width + i];
        df[t] += c.kernels.dot(x.row(t), dy + t * width, width);
      }
    });
  return y;
}

Tensor act(Ctx& c, Act kind, Tensor x) {
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), x.cols(), [&](int64_t t) { c.kernels.act(kind, x.row(t), x.cols(), y.row(t)); });
  if (c.tape)
    c.tape->record([c, kind, x, y] { c.kernels.act_back(kind, x.f32(), c.tape->grad(y), x.numel(), c.tape->grad(x)); });
  return y;
}

Tensor gated(Ctx& c, Act kind, Tensor gate, Tensor up) {
  Tensor y = c.make(gate.shape);
  each_row(c, gate.rows(), gate.cols(),
           [&](int64_t t) { c.kernels.gated(kind, gate.row(t), up.row(t), gate.cols(), y.row(t)); });
  if (c.tape)
    c.tape->record([c, kind, gate, up, y] {
      c.kernels.gated_back(kind, gate.f32(), up.f32(), c.tape->grad(y), y.numel(), c.tape->grad(gate),
                           c.tape->grad(up));
    });
  return y;
}

Tensor clamped_swiglu(Ctx& c, Tensor gate, Tensor up, float alpha, float limit) {
  Tensor y = c.make(gate.shape);
  auto opened = [alpha](float g) { return 1.0f / (1.0f + std::exp(-alpha * g)); };
  each_row(c, gate.rows(), gate.cols(), [&](int64_t t) {
    for (int64_t i = 0; i < gate.cols(); ++i) {
      const float g = std::min(gate.row(t)[i], limit), u = std::clamp(up.row(t)[i], -limit, limit);
      y.row(t)[i] = (u + 1) * (g * opened(g));
    }
  });
  if (c.tape)
    c.tape->record([c, gate, up, y, alpha, limit, opened] {
      const float* dy = c.tape->grad(y);
      float *dgate = c.tape->grad(gate), *dup = c.tape->grad(up);
      for (int64_t i = 0; i < y.numel(); ++i) {
        const float g = std::min(gate.f32()[i], limit), u = std::clamp(up.f32()[i], -limit, limit), s = opened(g);
        if (gate.f32()[i] <= limit) dgate[i] += dy[i] * (u + 1) * s * (1 + alpha * g * (1 - s));
        if (std::abs(up.f32()[i]) <= limit) dup[i] += dy[i] * g * s;
      }
    });
  return y;
}

Tensor softmax(Ctx& c, Tensor x) {
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), x.cols(), [&](int64_t t) { c.kernels.softmax(x.row(t), x.cols(), y.row(t)); });
  if (c.tape)
    c.tape->record([c, x, y] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t t = 0; t < y.rows(); ++t)
        c.kernels.softmax_back(y.row(t), dy + t * y.cols(), y.cols(), dx + t * y.cols());
    });
  return y;
}

Tensor neg_exp(Ctx& c, Tensor x) {
  Tensor y = c.make(x.shape);
  for (int64_t i = 0; i < x.numel(); ++i) y.f32()[i] = -std::exp(x.f32()[i]);
  if (c.tape)
    c.tape->record([c, x, y] {
      // x is a parameter here and nowhere an activation.
      const float* dy = c.tape->grad(y);
      if (float* dx = c.tape->wanted(x.data))
        for (int64_t i = 0; i < y.numel(); ++i) dx[i] += dy[i] * y.f32()[i];
    });
  return y;
}

Tensor rope(Ctx& c, Tensor x, Tensor cos, Tensor sin) {
  const int64_t heads = x.shape[1], dim = x.shape[2], half = cos.cols(), rotary = 2 * half;
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), dim,
           [&](int64_t i) { c.kernels.rope(x.row(i), cos.row(i / heads), sin.row(i / heads), dim, rotary, y.row(i)); });
  if (c.tape)
    c.tape->record([c, x, cos, sin, y, heads, dim, rotary] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t i = 0; i < x.rows(); ++i)
        c.kernels.rope_back(dy + i * dim, cos.row(i / heads), sin.row(i / heads), dim, rotary, dx + i * dim);
    });
  return y;
}

Tensor unpaired(Ctx& c, Tensor x, int64_t rotary) {
  const int64_t dim = x.cols(), half = rotary / 2;
  auto from = [half, rotary](int64_t i) { return i >= rotary ? i : i < half ? 2 * i : 2 * (i - half) + 1; };
  Tensor y = c.make(x.shape);
  each_row(c, x.rows(), dim, [&](int64_t t) {
    for (int64_t i = 0; i < dim; ++i) y.row(t)[i] = x.row(t)[from(i)];
  });
  if (c.tape)
    c.tape->record([c, x, y, dim, from] {
      const float* dy = c.tape->grad(y);
      float* dx = c.tape->grad(x);
      for (int64_t t = 0; t < x.rows(); ++t)
        for (int64_t i = 0; i < dim; ++i) dx[t * dim + from(i)] += dy[t * dim + i];
    });
  return y;
}

Tensor beside(Ctx& c, std::span<const Tensor> parts) {
  int64_t width = 0;
  for (const Tensor& part : parts) width += part.cols();
  Tensor y = c.make({parts.front().rows(), width});
  int64_t at = 0;
  for (const Tensor& part : parts) {
    for (int64_t t = 0; t < y.rows(); ++t) std::copy_n(part.row(t), part.cols(), y.row(t) + at);
    at += part.cols();
  }
  if (c.tape)
    c.tape->record([c, y, width, kept = std::vector(parts.begin(), parts.end())] {
      const float* dy = c.tape->grad(y);
      for (const Tensor& part : kept) {
        float* d = c.tape->grad(part);
        for (int64_t t = 0; t < y.rows(); ++t)
          c.kernels.add(d + t * part.cols(), dy + t * width, part.cols(), d + t * part.cols());
        dy += part.cols();
      }
    });
  return y;
}

}  // namespace madang
