// Products of BF16 weights with activations rounded to bf16, over a vocabulary of tiles (AMX). The weights stay as the
// file has them. Sixteen rows by 32 numbers of them are turned into a tile, pairs of every row side by side, and meet a
// tile of 32 numbers of sixteen tokens; the sums stay in their tile for a whole stretch of the row and are float32, so
// nothing is scaled and nothing converted. Two tiles of rows by two of tokens: each one loaded is multiplied twice.
#pragma once
#include <algorithm>

#include "kernels/simd/tile_shapes.h"
#include "kernels/simd/unroll.h"
#include "kernels/table.h"

namespace madang::simd {

/// A stretch of 32 rows as tiles. 128 KiB, which stay in the second-level cache while the tokens go by: shorter ones
/// are nearer, but their sums come and go more often (528 GMAC/s at 32 KiB, 580 at 64, 700 so; 512 tokens, two threads
/// of a Xeon).
template <class P>
class Bf16Block {
 public:
  static constexpr int64_t rows = 2 * panel_rows, groups = 64;

  /// Rows [first, end) of w, `rows` of them at most, groups [group, group + n); rows past the last are zero.
  void fill(const Weight& w, int64_t first, int64_t end, int64_t group, int64_t n) {
    alignas(64) static constexpr uint8_t zeros[64] = {};
    const int64_t bytes = w.cols * 2;
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t top = first + half * panel_rows;
      for (int64_t g = 0; g < n; ++g) {
        const uint8_t* lines[panel_rows];
        for (int64_t r = 0; r < panel_rows; ++r)
          lines[r] = top + r < end ? w.bytes + (top + r) * bytes + (group + g) * 64 : zeros;
        P::turn(lines, tile_[g][half]);
      }
    }
  }
  const uint8_t* tile(int64_t group, int half) const { return tile_[group][half]; }

 private:
  alignas(64) uint8_t tile_[groups][2][64 * panel_rows];
};

/// The block by T tiles of tokens from token t on, as many in each as the tiles are configured for. Sums begin at zero
/// in the row's first group and go on from y in all others.
template <class P, class Tiles, int T>
static void bf16_product(Tiles& tiles, const Bf16Block<P>& block, int64_t group, int64_t n, const Bf16Rows& x,
                         int64_t t, int64_t rows, float* y, int64_t y_stride) {
  const int64_t tokens = std::min<int64_t>(tile_tokens, x.rows - t);
  alignas(64) float part[tile_tokens][panel_rows] = {};
  // Where fewer than sixteen rows are left the tile comes and goes through `part`.
  auto each_sum = [&](auto&& whole, auto&& partly) {
    each_of<T>([&](auto i) __attribute__((always_inline)) {
      each_of<2>([&](auto half) __attribute__((always_inline)) {
        float* to = y + (t + i * tile_tokens) * y_stride + half * panel_rows;
        const int64_t held = std::clamp<int64_t>(rows - half * panel_rows, 0, panel_rows);
        if (held == panel_rows)
          whole(std::integral_constant<int, 2 * i + half>{}, to);
        else
          partly(std::integral_constant<int, 2 * i + half>{}, to, held);
      });
    });
  };
  auto copy = [&](const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t held) {
    for (int64_t r = 0; r < tokens; ++r) std::copy_n(from + r * from_stride, held, to + r * to_stride);
  };
  if (group == 0)
    each_of<2 * T>([&](auto sum) { tiles.template zero<sum>(); });
  else
    each_sum([&](auto sum, float* from) { tiles.template load<sum>(from, y_stride * 4); },
             [&](auto sum, float* from, int64_t held) {
               copy(from, y_stride, part[0], panel_rows, held);
               tiles.template load<sum>(part[0], 4 * panel_rows);
             });
  for (int64_t g = 0; g < n; ++g) {
    each_of<T>([&](auto i) { tiles.template load<tokens_tile + i>(x.at(group + g, t + i * tile_tokens), 64); });
    each_of<2>([&](auto half) { tiles.template load<weights_tile + half>(block.tile(g, half), 64); });
    each_of<T>([&](auto i) __attribute__((always_inline)) {
      each_of<2>(
          [&](auto half) { tiles.template multiply_bf16<2 * i + half, tokens_tile + i, weights_tile + half>(); });
    });
  }
  each_sum([&](auto sum, float* to) { tiles.template store<sum>(to, y_stride * 4); },
           [&](auto sum, float* to, int64_t held) {
             tiles.template store<sum>(part[0], 4 * panel_rows);
             copy(part[0], panel_rows, to, y_stride, held);
           });
}

/// R tiles of rows, sixteen or, the last, as many as are left, by one token. Here memory is what holds the reading up,
/// so nothing is turned: the rows are the left side as they lie in the file and the token, a pair in a row, is the
/// right.
template <class Tiles, int R>
static void bf16_answer(const Weight& w, const Bf16Rows& x, int64_t r, int64_t end, float* y) {
  const int64_t bytes = w.cols * 2;
  TileShapes shapes;
  auto shape = [&](int tile, int64_t rows, int row_bytes) {
    shapes.rows[tile] = static_cast<uint8_t>(rows), shapes.row_bytes[tile] = static_cast<uint16_t>(row_bytes);
  };
  for (int i = 0; i < R; ++i) {
    const int64_t rows = std::min<int64_t>(panel_rows, end - r - i * panel_rows);
    shape(i, rows, 4), shape(tokens_tile + i, rows, 64);
  }
  shape(weights_tile, 16, 4);
  Tiles tiles(shapes);
  each_of<R>([&](auto i) { tiles.template zero<i>(); });
  const uint8_t* first = w.bytes + r * bytes;
  for (int64_t g = 0; g < x.groups(); ++g) {
    tiles.template load<weights_tile>(x.at(g, 0), 4);
    each_of<R>([&](auto i) {
      tiles.template load<tokens_tile + i>(first + i * panel_rows * bytes + g * 64, bytes);
      tiles.template multiply_bf16<i, tokens_tile + i, weights_tile>();
    });
  }
  each_of<R>([&](auto i) { tiles.template store<i>(y + r + i * panel_rows, 4); });
}

template <class P, class Tiles>
void matmul_bf16(const Weight& w, const Bf16Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  if (x.rows == 1) {
    for (int64_t r = begin; r < end; r += 2 * panel_rows)
      end - r > panel_rows ? bf16_answer<Tiles, 2>(w, x, r, end, y) : bf16_answer<Tiles, 1>(w, x, r, end, y);
    return;
  }
  Bf16Block<P> block;
  const int64_t whole = x.rows / tile_tokens * tile_tokens;
  for (int64_t g = 0; g < x.groups(); g += block.groups)  // all rows by a stretch of the tokens before the next one
    for (int64_t r = begin; r < end; r += block.rows) {
      const int64_t n = std::min(block.groups, x.groups() - g);
      block.fill(w, r, end, g, n);
      int64_t t = 0;
      auto by = [&]<int T>(Tiles& tiles, int64_t to) {
        for (; t + (T - 1) * tile_tokens < to; t += T * tile_tokens)
          bf16_product<P, Tiles, T>(tiles, block, g, n, x, t, end - r, y + r, y_stride);
      };
      if (whole > 0) {
        Tiles tiles(tile_shapes(tile_tokens, 16));
        by.template operator()<2>(tiles, whole);
        by.template operator()<1>(tiles, whole);
      }
      if (whole < x.rows) {
        Tiles tiles(tile_shapes(static_cast<int>(x.rows - whole), 16));
        by.template operator()<1>(tiles, x.rows);
      }
    }
}

/// Plain loops, which each table's own instruction set makes vectors of; hence a template.
template <class P>
void to_bf16(const float* x, int64_t begin, int64_t end, const Bf16Rows& out) {
  for (int64_t r = begin; r < end; ++r)
    for (int64_t g = 0; g < out.groups(); ++g) {
      const float* from = x + r * out.cols + g * 32;
      uint16_t* to = out.at(g, r);
      for (int i = 0; i < 32; ++i) {
        const auto bits = std::bit_cast<uint32_t>(from[i]);
        const uint32_t near = bits + 0x7FFF + (bits >> 16 & 1), none = bits | 0x400000;  // no number stays none
        to[i] = static_cast<uint16_t>(((bits & 0x7FFFFFFF) > 0x7F800000 ? none : near) >> 16);
      }
    }
}

}  // namespace madang::simd
