// Products with a weight, as plain loops: exact (float32), fast (int8 codes), and their gradients.
#include "kernels/ref/ref.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/lanes.h"

namespace madang::ref {

void matmul_exact(const Weight& w, const float* x, int64_t n, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  std::vector<float> row(static_cast<size_t>(w.cols));
  for (int64_t r = begin; r < end; ++r) {
    w.format->decode(w.row(r), w.cols, row.data());
    for (int64_t t = 0; t < n; ++t) y[t * y_stride + r] = dot(row.data(), x + t * w.cols, w.cols);
  }
}

void to_int8(const float* x, int64_t begin, int64_t end, const Int8Rows& out) {
  for (int64_t r = begin; r < end; ++r) {
    const float* row = x + r * out.cols;
    for (int64_t g = 0; g < out.cols / 32; ++g) {
      float largest = 0;
      for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(row[g * 32 + i]));
      float scale = largest / 127.0f, inverse = largest > 0 ? 127.0f / largest : 0.0f;
      int sums[2] = {};
      for (int i = 0; i < 32; ++i) {
        int code = static_cast<int>(std::nearbyint(row[g * 32 + i] * inverse));
        out.code[r * out.cols + g * 32 + i] = static_cast<int8_t>(code);
        sums[i / 16] += code;
      }
      out.scale[r * (out.cols / 32) + g] = scale;
      for (int h = 0; h < 2; ++h) out.sum[r * (out.cols / 16) + g * 2 + h] = scale * static_cast<float>(sums[h]);
    }
  }
}

void matmul_fast(const Weight& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  const Format& f = *w.format;
  const int64_t groups = w.cols / f.group, per_block = f.block / f.group;
  std::vector<int8_t> code(static_cast<size_t>(w.cols));
  std::vector<float> scale(static_cast<size_t>(groups)), minimum(static_cast<size_t>(groups));
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t b = 0; b < w.cols / f.block; ++b)
      f.codes(w.row(r) + b * f.bytes, code.data() + b * f.block, scale.data() + b * per_block,
              minimum.data() + b * per_block);
    for (int64_t t = 0; t < x.rows; ++t) {
      const int8_t* xc = x.code + t * x.cols;
      Lanes acc, low;
      for (int64_t k = 0; k < w.cols; k += 4) {  // one lane of one group of 32
        int sum = 0;
        for (int64_t i = k; i < k + 4; ++i) sum += code[static_cast<size_t>(i)] * xc[i];
        float& lane = acc.lane[k / 4 % 8];
        lane = std::fma(static_cast<float>(sum),
                        scale[static_cast<size_t>(k / f.group)] * x.scale[t * (x.cols / 32) + k / 32], lane);
      }
      if (f.has_minimum)
        for (int64_t g = 0; g < groups; ++g) {
          const float* sums = x.sum + t * (x.cols / 16);
          float sum = f.group == 16 ? sums[g] : sums[2 * g] + sums[2 * g + 1];
          low.lane[g % 8] = std::fma(minimum[static_cast<size_t>(g)], sum, low.lane[g % 8]);
        }
      y[t * y_stride + r] = acc.fold() - low.fold();
    }
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
