// Products of panels (quant/panels.h) with many tokens over a vocabulary of tiles: registers of up to sixteen rows of
// 64 bytes that multiply as matrices (AMX). All else is that of simd/panels.h, whose vocabulary P is used beside it:
// the stretches that are unpacked once for all tokens, the scales, the order of the floats. What has fewer than four
// tokens is done there altogether.
//
// The unpacked codes of a group are a tile as they stand: eight quads of sixteen rows. A tile of T tokens by 32 codes
// times it is T x 16 sums, all of a group. Because a scale ends every group, the sums leave their tile after a single
// multiplication, and what then limits is not multiplying (12 cycles, of 52 until its result is there) but the floats:
// load, convert, scale and add 12 registers, near 20 cycles with two ports. So four tiles of sums are in flight, and
// the sums of four groups are written while those of the four before are added up. And codes lose their offset in the
// unpacked stretch, once for a weight and not once for every sum: both sides of the products are signed.
#pragma once
#include <algorithm>

#include "kernels/simd/panels.h"
#include "kernels/simd/tile_shapes.h"

namespace madang::simd {

/// `groups` groups of a stretch by T tokens, `slot` being that of the first token and the stretch's first group.
template <class P, class Tiles, PanelForm form, int T>
[[gnu::always_inline]] static inline void stretch_product(Tiles& tiles, const Stretch<P, form>& w, int64_t groups,
                                                          const Int8Rows& rows, int64_t slot,
                                                          typename P::F (&acc)[1][T]) {
  using F = typename P::F;
  using Sums = int32_t[sums_in_flight][T][panel_rows];
  constexpr int halves = Stretch<P, form>::halves,
                quads = 8 / halves;  // a piece is what shares a scale: a group or half of one
  const Int8Rows x = rows;           // its own, not to be read again behind every tile that is stored
  const int64_t slots = x.slots(), pieces = groups * halves;
  auto multiply = [&](int64_t first, Sums& sums) {
    each_of<sums_in_flight>([&](auto i) {
      const int64_t piece = first + i;
      if (piece >= pieces) return;
      constexpr int tokens = tokens_tile + i % 2, weights = weights_tile + i % 2;
      tiles.template zero<i>();
      tiles.template load<tokens>(x.code + (slot + piece / halves * x.tile) * 32 + piece % halves * 16, 32);
      tiles.template load<weights>(w.code[piece / halves][piece % halves * quads], 4 * panel_rows);
      tiles.template multiply<i, tokens, weights>();
    });
    each_of<sums_in_flight>([&](auto i) {
      if (first + i < pieces) tiles.template store<i>(sums[i][0], 4 * panel_rows);
    });
  };
  auto add_up = [&](int64_t group, const int32_t(*sums)[T][panel_rows]) {
    const int64_t at = slot + group * x.tile;
    [[maybe_unused]] F part[T];
    each_of<halves>([&](auto h) {
      const F scale = P::load(w.scale[group * halves + h]);
      F minimum{};
      if constexpr (form.minimum) minimum = P::load(w.minimum[group * halves + h]);
      each_of<T>([&](auto t) {
        const F low = P::set(low_of<form, h>(x, slots, at + t));
        add_group<P, form, h>(Tiles::load_sums(sums[h][t]), scale, minimum, P::set(x.scale[at + t]), low, part[t],
                              acc[0][t]);
      });
    });
  };
  alignas(64) Sums sums[2];
  multiply(0, sums[0]);
  for (int64_t first = 0, turn = 0; first < pieces; first += sums_in_flight, turn ^= 1) {
    multiply(first + sums_in_flight, sums[turn ^ 1]);
    const int64_t last = std::min(first + sums_in_flight, pieces);
    for (int64_t piece = first; piece < last; piece += halves) add_up(piece / halves, &sums[turn][piece - first]);
  }
}

/// Panels [begin, end) by tokens [from, to), T at a time.
template <class P, class Tiles, PanelForm form, int T>
static void tile_products(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, int64_t from, int64_t to,
                          float* y, int64_t y_stride) {
  static_assert(P::lanes == panel_rows);
  Stretch<P, form> stretch;
  Tiles tiles(tile_shapes(T, form.group / 4));
  for (int64_t p = begin; p < end; ++p) {
    PackedRows<P, form> rows(w, p);
    for (int64_t g = 0; g < x.groups(); g += stretch_groups) {
      const int64_t groups = std::min(stretch_groups, x.groups() - g);
      stretch.unpack(rows, g, groups);
      for (int64_t i = 0; form.offset > 0 && i < groups; ++i)
        for (auto& quad : stretch.code[i])
          for (uint8_t& code : quad) code = static_cast<uint8_t>(code - form.offset);
      for (int64_t t = from; t < to; t += T) {
        const TileOfResults<P, T> results(w, p, y + t * y_stride, y_stride);
        typename TileOfResults<P, T>::Sums acc;
        g == 0 ? results.zero(acc) : results.load(acc);
        stretch_product<P, Tiles, form, T>(tiles, stretch, groups, x, x.slot(t, g), acc);
        results.store(acc);
      }
    }
  }
}

/// All tokens: by twelve, the last ones by four, and the last three at most as simd/panels.h does them.
template <class P, class Tiles, PanelForm form>
static void tiled_products(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  int64_t t = 0;
  auto by_tiles = [&]<int T>() {
    const int64_t to = t + (x.rows - t) / T * T;
    if (t < to) tile_products<P, Tiles, form, T>(w, x, begin, end, t, to, y, y_stride);
    t = to;
  };
  auto by_vectors = [&]<int T>() {
    for (; t + T <= x.rows; t += T)
      for (int64_t p = begin; p < end; ++p) panel_product<P, form, T>(w, p, x, t, y, y_stride);
  };
  by_tiles.template operator()<Int8Rows::most>();
  by_tiles.template operator()<4>();
  by_vectors.template operator()<2>();
  by_vectors.template operator()<1>();
}

template <class P, class Tiles>
void matmul_tiles(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  each_of<panel_form_count>([&](auto form) {
    if (w.form == form) tiled_products<P, Tiles, panel_forms[form]>(w, x, begin, end, y, y_stride);
  });
}

/// The other table with its products in tiles.
template <class P, class Tiles>
Kernels in_tiles(Kernels kernels, const char* name) {
  kernels.name = name, kernels.matmul_fast = matmul_tiles<P, Tiles>;
  return kernels;
}

}  // namespace madang::simd
