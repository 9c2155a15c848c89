// Products with a weight, over the SIMD vocabulary V. Rows of the weight are unpacked once and meet all tokens; a
// tile keeps its sums in registers for the whole length of the row, so that one token and many add in the same order.
#pragma once
#include <algorithm>
#include <vector>

#include "kernels/simd/unpack.h"
#include "kernels/table.h"

namespace madang::simd {

// Rows unpacked together: a loaded activation is used this many times.
inline constexpr int row_tile = 4;

// ---- exact: float32

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

// ---- fast: int8 activations

// R rows by T tokens. Formats with minimums have codes that are never negative: their products need no signs.
template <class V, int R, int T, bool halves, bool minimums>
void fast_tile(const UnpackedRow* w, const Int8Rows& x, int64_t t0, const float* x_sum, float* y, int64_t y_stride) {
  using F = typename V::F;
  const int64_t cols = x.cols, groups = cols / 32;
  F acc[R][T];
  for (auto& row : acc)
    for (F& a : row) a = V::zero();
  for (int64_t g = 0; g < groups; ++g)
    for (int t = 0; t < T; ++t) {
      const auto xs = V::load_bytes(x.code + (t0 + t) * cols + g * 32);
      const float x_scale = x.scale[(t0 + t) * groups + g];
      for (int r = 0; r < R; ++r) {
        const auto ws = V::load_bytes(w[r].code + g * 32);
        const F sums = V::to_float(minimums ? V::dot_unsigned(ws, xs) : V::dot(ws, xs));
        const F scale = halves ? V::set_halves(w[r].scale[2 * g] * x_scale, w[r].scale[2 * g + 1] * x_scale)
                               : V::set(w[r].scale[g] * x_scale);
        acc[r][t] = V::fma(sums, scale, acc[r][t]);
      }
    }
  const int64_t parts = halves ? 2 * groups : groups;
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) {
      F low = V::zero();
      const float* sums = x_sum + (t0 + t) * parts;
      for (int64_t g = 0; minimums && g < parts; g += 8)
        low = V::fma(V::load_n(w[r].minimum + g, parts - g), V::load_n(sums + g, parts - g), low);
      y[(t0 + t) * y_stride + r] = V::fold(acc[r][t]) - V::fold(low);
    }
}

template <class V, int R, bool halves, bool minimums>
void fast_rows(const UnpackedRow* w, const Int8Rows& x, const float* x_sum, float* y, int64_t y_stride) {
  int64_t t = 0;
  for (; t + 2 <= x.rows; t += 2) fast_tile<V, R, 2, halves, minimums>(w, x, t, x_sum, y, y_stride);
  if (t < x.rows) fast_tile<V, R, 1, halves, minimums>(w, x, t, x_sum, y, y_stride);
}

template <class V, bool halves, bool minimums>
void fast_all(const Weight& w, const Int8Rows& x, const float* x_sum, int64_t begin, int64_t end, float* y,
              int64_t y_stride) {
  const int64_t groups = w.cols / w.format->group;
  std::vector<int8_t> codes(static_cast<size_t>(row_tile * w.cols));
  std::vector<float> scales(static_cast<size_t>(row_tile * groups)), lows(static_cast<size_t>(row_tile * groups));
  UnpackedRow rows[row_tile];
  for (int i = 0; i < row_tile; ++i)
    rows[i] = {codes.data() + i * w.cols, scales.data() + i * groups, lows.data() + i * groups};
  const RowReader read = row_forms<V>(*w.format).read;
  for (int64_t r = begin; r < end; r += row_tile) {
    const int64_t count = std::min<int64_t>(row_tile, end - r);
    for (int64_t i = 0; i < count; ++i) read(w, r + i, rows[i]);
    if (count == row_tile)
      fast_rows<V, row_tile, halves, minimums>(rows, x, x_sum, y + r, y_stride);
    else
      for (int64_t i = 0; i < count; ++i) fast_rows<V, 1, halves, minimums>(rows + i, x, x_sum, y + r + i, y_stride);
  }
}

template <class V>
void matmul_fast(const Weight& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  const bool halves = w.format->group == 16, minimums = w.format->has_minimum;
  if (halves)
    return minimums ? fast_all<V, true, true>(w, x, x.sum, begin, end, y, y_stride)
                    : fast_all<V, true, false>(w, x, x.sum, begin, end, y, y_stride);
  if (!minimums) return fast_all<V, false, false>(w, x, x.sum, begin, end, y, y_stride);
  // Sums of the activations by the weight's groups of 32.
  std::vector<float> paired(static_cast<size_t>(x.rows * (x.cols / 32)));
  for (size_t i = 0; i < paired.size(); ++i) paired[i] = x.sum[2 * i] + x.sum[2 * i + 1];
  fast_all<V, false, true>(w, x, paired.data(), begin, end, y, y_stride);
}

template <class V>
void to_int8(const float* x, int64_t begin, int64_t end, const Int8Rows& out) {
  const int64_t groups = out.cols / 32;
  for (int64_t g = begin * groups; g < end * groups; ++g) {
    const float* p = x + g * 32;
    typename V::F v[4], top = V::zero();
    for (int i = 0; i < 4; ++i) v[i] = V::load(p + 8 * i), top = V::max(top, V::abs(v[i]));
    float lanes[8], largest = 0;
    V::store(lanes, top);
    for (float lane : lanes) largest = std::max(largest, lane);
    const auto inverse = V::set(largest > 0 ? 127.0f / largest : 0.0f);
    for (auto& f : v) f = V::round(V::mul(f, inverse));
    const auto codes = V::pack(v[0], v[1], v[2], v[3]);
    V::store_bytes(out.code + g * 32, codes);
    int32_t sums[2];
    V::half_sums(codes, sums);
    out.scale[g] = largest / 127.0f;
    for (int h = 0; h < 2; ++h) out.sum[2 * g + h] = out.scale[g] * static_cast<float>(sums[h]);
  }
}

}  // namespace madang::simd
