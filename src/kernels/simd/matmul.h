// Exact products with a weight, over the SIMD vocabulary V. Rows of the weight are decoded once and meet all tokens; a
// tile keeps its sums in registers for the whole length of the row, so that one token and many add in the same order.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/simd/unpack.h"
#include "kernels/table.h"

namespace madang::simd {

// Rows unpacked together: a loaded activation is used this many times.
inline constexpr int row_tile = 4;

// rows x tokens sums over `cols`, each in eight lanes.
template <class V, int R, int T>
void exact_tile(const float* const* w, const float* x, int64_t cols, float* y, int64_t y_stride) {
  using F = typename V::F;
  F acc[R][T];
  for (auto& row : acc)
    for (F& a : row) a = V::zero();
  auto multiply = [&](auto load) {
    F xs[T];
    for (int t = 0; t < T; ++t) xs[t] = load(x + t * cols);
    for (int r = 0; r < R; ++r) {
      F ws = load(w[r]);
      for (int t = 0; t < T; ++t) acc[r][t] = V::fma(ws, xs[t], acc[r][t]);
    }
  };
  int64_t i = 0;
  for (; i + 8 <= cols; i += 8) multiply([&](const float* p) { return V::load(p + i); });
  if (i < cols) multiply([&](const float* p) { return V::load_n(p + i, cols - i); });
  for (int r = 0; r < R; ++r)
    for (int t = 0; t < T; ++t) y[t * y_stride + r] = V::fold(acc[r][t]);
}

template <class V, int R>
void exact_rows(const float* const* w, const float* x, int64_t n, int64_t cols, float* y, int64_t y_stride) {
  // Four rows by three tokens: twelve sums, three activations and one weight fill sixteen registers.
  int64_t t = 0;
  for (; t + 3 <= n; t += 3) exact_tile<V, R, 3>(w, x + t * cols, cols, y + t * y_stride, y_stride);
  for (; t < n; ++t) exact_tile<V, R, 1>(w, x + t * cols, cols, y + t * y_stride, y_stride);
}

template <class V>
void matmul_exact(const Weight& w, const float* x, int64_t n, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  const bool plain = w.format == &f32_format;
  const auto decode = row_forms<V>(*w.format).decode;
  std::vector<float> decoded(plain ? 0 : static_cast<size_t>(row_tile * w.cols));
  for (int64_t r = begin; r < end; r += row_tile) {
    const int64_t count = std::min<int64_t>(row_tile, end - r);
    const float* rows[row_tile];
    for (int64_t i = 0; i < count; ++i) {
      if (plain) {
        rows[i] = w.f32() + (r + i) * w.cols;
        continue;
      }
      float* to = decoded.data() + i * w.cols;
      decode(w, r + i, to);
      rows[i] = to;
    }
    if (count == row_tile)
      exact_rows<V, row_tile>(rows, x, n, w.cols, y + r, y_stride);
    else
      for (int64_t i = 0; i < count; ++i) exact_rows<V, 1>(rows + i, x, n, w.cols, y + r + i, y_stride);
  }
}

}  // namespace madang::simd
