// Products with a weight, as plain loops: exact (float32), fast (int8 codes), and their gradients.
#include "kernels/ref/ref.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/ref/lanes.h"
#include "tensor/half.h"

namespace madang::ref {

void matmul_exact(const Weight& w, const float* x, int64_t n, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  std::vector<float> row(static_cast<size_t>(w.cols));
  for (int64_t r = begin; r < end; ++r) {
    w.format->decode(w.row(r), w.cols, row.data());
    for (int64_t t = 0; t < n; ++t) y[t * y_stride + r] = dot(row.data(), x + t * w.cols, w.cols);
  }
}

void to_int8(const float* x, int64_t begin, int64_t end, const Int8Rows& out) {
  const int64_t groups = out.groups(), slots = out.slots();
  for (int64_t r = begin; r < end; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      const float* values = x + r * out.cols + g * 32;
      const int64_t slot = out.slot(r, g);
      float largest = 0, none = 0;
      for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i])), none += values[i] * 0;
      largest += none;  // no number if a value is not finite
      const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
      int less[2][2] = {};
      for (int i = 0; i < 32; ++i) {
        const int code = inverse > 0 ? static_cast<int>(std::nearbyint(values[i] * inverse)) : 0;
        out.code[slot * 32 + i] = static_cast<int8_t>(code);
        less[i / 16][i % 4 / 2] -= code;
      }
      out.less[slot] = Int8Rows::both(less[0][0] + less[1][0], less[0][1] + less[1][1]);
      for (int h = 0; h < 2; ++h) out.less[(h + 1) * slots + slot] = Int8Rows::both(less[h][0], less[h][1]);
      out.scale[slot] = largest / 127.0f;
      out.low[slot] = out.scale[slot] * static_cast<float>(Int8Rows::whole(out.less[slot]));
    }
}

void to_bf16(const float* x, int64_t begin, int64_t end, const Bf16Rows& out) {
  for (int64_t r = begin; r < end; ++r)
    for (int64_t k = 0; k < out.cols; ++k) out.at(k / 32, r)[k % 32] = bf16_of_float(x[r * out.cols + k]);
}

void matmul_bf16(const Weight& w, const Bf16Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  const auto normal = [](float f) {
    return std::fabs(f) < std::numeric_limits<float>::min() ? std::copysign(0.0f, f) : f;
  };
  const auto number = [&](const void* at) {
    uint16_t bits;
    std::memcpy(&bits, at, 2);
    return normal(float_of_bf16(bits));
  };
  for (int64_t r = begin; r < end; ++r)
    for (int64_t t = 0; t < x.rows; ++t) {
      float acc = 0;
      for (int64_t k = 0; k < w.cols; k += 32) {
        float part[2] = {};  // of the even and the odd columns
        for (int64_t i = 0; i < 32; ++i)
          part[i % 2] = normal(std::fma(number(x.at(k / 32, t) + i), number(w.row(r) + 2 * (k + i)), part[i % 2]));
        acc = normal(acc + normal(part[0] + part[1]));
      }
      y[t * y_stride + r] = acc;
    }
}

// The sum of one group from weight `at` on, and minus that of the row's codes.
struct GroupSums {
  float sum, less;
};
GroupSums group_sums(const Panels& w, const Int8Rows& x, int64_t r, int64_t t, int64_t at) {
  int sum = 0, less = 0;
  for (int64_t k = at; k < at + w.shape().group; ++k) {
    const int code = x.code[x.slot(t, k / 32) * 32 + k % 32];
    sum += (w.code(r, k) - w.shape().offset) * code, less -= code;
  }
  return {static_cast<float>(sum), static_cast<float>(less)};
}

void matmul_fast(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  const PanelForm& form = w.shape();
  for (int64_t r = begin * panel_rows; r < std::min(end * panel_rows, w.rows); ++r)
    for (int64_t t = 0; t < x.rows; ++t) {
      float acc = 0;
      for (int64_t g = 0; g < x.groups(); ++g) {
        const float x_scale = x.scale[x.slot(t, g)];
        if (form.group == 32) {
          const auto [sum, less] = group_sums(w, x, r, t, 32 * g);
          acc = std::fma(sum, w.scale(r, g) * x_scale, acc);
          if (form.minimum) acc = std::fma(w.minimum(r, g), x_scale * less, acc);
          continue;
        }
        float part = 0;
        for (int64_t half = 2 * g; half < 2 * g + 2; ++half) {
          const auto [sum, less] = group_sums(w, x, r, t, 16 * half);
          part = std::fma(sum, w.scale(r, half), part);
          if (form.minimum) part = std::fma(w.minimum(r, half), less, part);
        }
        acc = std::fma(part, x_scale, acc);
      }
      y[t * y_stride + r] = acc;
    }
}

void matmul_dx(const Weight& w, const float* dy, int64_t, int64_t begin, int64_t end, float* dx) {
  std::vector<float> row(static_cast<size_t>(w.cols));
  for (int64_t r = 0; r < w.rows; ++r) {
    w.format->decode(w.row(r), w.cols, row.data());
    for (int64_t t = begin; t < end; ++t) {
      float d = dy[t * w.rows + r];
      for (int64_t k = 0; k < w.cols; ++k) dx[t * w.cols + k] += d * row[static_cast<size_t>(k)];
    }
  }
}

void matmul_dw(const float* x, const float* dy, int64_t n, int64_t rows, int64_t cols, int64_t begin, int64_t end,
               float* dw) {
  for (int64_t r = begin; r < end; ++r)
    for (int64_t t = 0; t < n; ++t) {
      float d = dy[t * rows + r];
      if (d == 0) continue;  // masked rows
      for (int64_t k = 0; k < cols; ++k) dw[r * cols + k] += d * x[t * cols + k];
    }
}

}  // namespace madang::ref
