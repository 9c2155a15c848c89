// The vocabulary of tiles in plain C++: the meaning of every word, as Intel's manual (SDM vol. 2, LDTILECFG, TILELOADD,
// TDPBSSD, TDPBF16PS) has the instructions. x86/amx.h is its twin.
#pragma once
#include <cassert>
#include <cmath>
#include <cstring>

#include "kernels/simd/emulated.h"
#include "kernels/simd/tiles.h"
#include "tensor/half.h"

namespace madang {

class EmulatedTiles {
 public:
  explicit EmulatedTiles(const simd::TileShapes& shapes) : shapes_(shapes) { assert(shapes.palette == 1); }

  void zero(int to) { std::memset(tile_[to], 0, sizeof tile_[to]); }
  /// The rows of a tile from p on, `stride` bytes from one to the next.
  void load(int to, const void* p, int64_t stride) {
    zero(to);
    for (int r = 0; r < shapes_.rows[to]; ++r)
      std::memcpy(tile_[to][r], static_cast<const int8_t*>(p) + r * stride, shapes_.row_bytes[to]);
  }
  void store(int from, void* p, int64_t stride) const {
    for (int r = 0; r < shapes_.rows[from]; ++r)
      std::memcpy(static_cast<int8_t*>(p) + r * stride, tile_[from][r], shapes_.row_bytes[from]);
  }
  /// sum[m, n] += x[m, 4 k + j] * w[k, 4 n + j] for all k and j; sums of 32 bits, signed bytes.
  void multiply(int sum, int x, int w) {
    const int M = shapes_.rows[sum], N = shapes_.row_bytes[sum] / 4, K = shapes_.rows[w];
    assert(sum != x && sum != w && x != w && M > 0);
    assert(shapes_.rows[x] == M && shapes_.row_bytes[x] == 4 * K && shapes_.row_bytes[w] == 4 * N);
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        int32_t total;
        std::memcpy(&total, tile_[sum][m] + 4 * n, 4);
        for (int k = 0; k < K; ++k)
          for (int j = 0; j < 4; ++j) total += tile_[x][m][4 * k + j] * tile_[w][k][4 * n + j];
        std::memcpy(tile_[sum][m] + 4 * n, &total, 4);
      }
  }
  /// The same of pairs of bf16: sums of float32, even numbers and odd ones apart.
  void multiply_bf16(int sum, int x, int w) {
    const int M = shapes_.rows[sum], N = shapes_.row_bytes[sum] / 4, K = shapes_.rows[w];
    assert(sum != x && sum != w && x != w && M > 0);
    assert(shapes_.rows[x] == M && shapes_.row_bytes[x] == 4 * K && shapes_.row_bytes[w] == 4 * N);
    const auto normal = [](float f) { return std::fabs(f) < 0x1p-126f ? std::copysign(0.0f, f) : f; };
    const auto number = [&](int tile, int row, int at) {
      uint16_t bits;
      std::memcpy(&bits, tile_[tile][row] + 2 * at, 2);
      return normal(float_of_bf16(bits));
    };
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        float total, part[2] = {};
        std::memcpy(&total, tile_[sum][m] + 4 * n, 4);
        for (int k = 0; k < 2 * K; ++k)
          part[k % 2] = normal(std::fma(number(x, m, k), number(w, k / 2, 2 * n + k % 2), part[k % 2]));
        total = normal(normal(total) + normal(part[0] + part[1]));
        std::memcpy(tile_[sum][m] + 4 * n, &total, 4);
      }
  }

  // The same as an instruction has them, which names its registers.
  template <int to>
  void zero() {
    zero(to);
  }
  template <int to>
  void begin() {
    int32_t row[panel_rows];
    for (int32_t& sum : row) sum = simd::sums_begin;
    load(to, row, 0);
  }
  template <int to>
  void load(const void* p, int64_t stride) {
    load(to, p, stride);
  }
  template <int from>
  void store(void* p, int64_t stride) const {
    store(from, p, stride);
  }
  template <int sum, int x, int w>
  void multiply() {
    multiply(sum, x, w);
  }
  template <int sum, int x, int w>
  void multiply_bf16() {
    multiply_bf16(sum, x, w);
  }

  static EmulatedPanels::F load_sums(const float* p) {
    return EmulatedPanels::each([&](int i) { return p[i] - simd::sums_begin_as_float; });
  }

 private:
  simd::TileShapes shapes_;
  int8_t tile_[8][16][64] = {};
};

}  // namespace madang
