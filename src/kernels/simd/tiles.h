// Products of panels (quant/panels.h) with many tokens over a vocabulary of tiles: registers of up to sixteen rows of
// 64 bytes that multiply as matrices (AMX). All else is that of simd/panels.h, whose vocabulary P is used beside it:
// the stretches that are unpacked once for all tokens, the scales, the order of the floats. What has fewer than
// twenty-four tokens is done there altogether: below them a stretch costs more to unpack than its products gain.
//
// The unpacked codes of a group are a tile as they stand: eight quads of sixteen rows. A tile of T tokens by 32 codes
// times it is T x 16 sums, all of a group. Because a scale ends every group, the sums leave their tile after a single
// multiplication, and everything is paid that lies between two tiles. Measured on a Xeon with AMX, one thread, in
// nanoseconds for a group of sixteen tokens, all operands in the first-level cache:
//
//   multiplying takes 4.7, storing the sums 4.5, both 5.3 if no tile is stored before two others have begun to be
//     multiplied (a product takes 16 until it is there, and stores wait in order), 8.5 if it is; loading hides beside.
//   scaling and adding takes 4.9, but 15 where tiles are in use: one of the two ports then multiplies and converts no
//     vectors of 64 bytes, for a hundred nanoseconds after the last of them. It still adds. So sums are not converted:
//     they begin at the bits of 1.5 * 2^23, and what comes out, read as a float, is that plus the sum, exactly.
//   all of it takes 12.5 in one row of turns over the groups and on to the next tokens, and 18 in a row for each
//     tokens alone, filled and emptied each time. (Numbers that are not zeros slow the processor down: 16 to 19.)
//
// Codes lose their offset in the unpacked stretch, once for a weight and not once for every sum: both sides of the
// products are signed.
#pragma once
#include <algorithm>

#include "kernels/simd/bf16_tiles.h"
#include "kernels/simd/panels.h"
#include "kernels/simd/tile_shapes.h"

namespace madang::simd {

/// A stretch of one panel by tokens [from, to), T at a time: what it adds to their results. It goes in turns of four
/// groups: while the sums of a turn are added up, the tiles of the next are multiplied, be they the same tokens' or the
/// next ones'.
template <class P, class Tiles, PanelForm form, int T>
class TileTurns {
 public:
  TileTurns(const Stretch<P, form>& w, int64_t first, int64_t groups, const Int8Rows& x, int64_t from, int64_t to)
      : w_(w), x_(x), slots_(x.slots()), first_(first), groups_(groups), from_(from), to_(to) {}

  /// `results(token)`: where the sums of T tokens come from and go to.
  template <class Results>
  [[gnu::always_inline]] void run(const Results& results) const {
    Tiles tiles(tile_shapes(T, 8 / halves));
    alignas(64) Sums sums[turn];
    Place here(*this, from_, 0);
    each_of<turn>([&](auto i) __attribute__((always_inline)) {
      if (i < here.groups) multiply<i>(tiles, here);
      if constexpr (i >= wait) store<i - wait>(tiles, sums);
    });
    for (int64_t token = from_; token < to_; token += T) {
      const auto at = results(token);
      F acc[1][T];
      first_ == 0 ? at.zero(acc) : at.load(acc);
      for (int64_t group = 0; group < groups_; group += turn) {
        const bool last = group + turn >= groups_;  // behind the last of all they are multiplied again, for nobody
        const Place next(*this, last && token + T < to_ ? token + T : token, last ? 0 : group + turn);
        each_of<turn>([&](auto i) __attribute__((always_inline)) {
          if (i < next.groups) multiply<i>(tiles, next);
          store<(i + turn - wait) % turn>(tiles, sums);
          if (i < here.groups) add_up<i>(sums[i], here, acc[0]);
        });
        here = next;
      }
      at.store(acc);
    }
  }

 private:
  using F = typename P::F;
  static constexpr int halves = Stretch<P, form>::halves;  // a piece is what shares a scale: a group or half of one
  static constexpr int turn = 4, wait = 2 / halves;        // groups; how long sums stay in their tile
  using Sums = float[halves][T][panel_rows];

  /// Where the groups of a turn begin.
  struct Place {
    int64_t groups, slot, step;
    const int8_t* tokens;
    const uint8_t* weights;
    const float *scale, *minimum, *x_scale;
    Place(const TileTurns& of, int64_t token, int64_t group)
        : groups(std::min<int64_t>(turn, of.groups_ - group)),
          slot(of.x_.slot(token, of.first_ + group)),
          step(T == tile_tokens ? T : of.x_.tile),
          tokens(of.x_.code + slot * 32),
          weights(of.w_.code[group][0]),
          scale(of.w_.scale[group * halves]),
          minimum(of.w_.minimum[group * halves]),
          x_scale(of.x_.scale + slot) {}
  };

  const Stretch<P, form>& w_;
  const Int8Rows x_;  // its own, not to be read again behind every tile that is stored
  int64_t slots_, first_, groups_, from_, to_;

  static constexpr int tile_of(int i, int half) { return (i * halves + half) % sums_in_flight; }

  template <int i>
  [[gnu::always_inline]] static void multiply(Tiles& tiles, const Place& at) {
    each_of<halves>([&](auto h) __attribute__((always_inline)) {
      constexpr int sum = tile_of(i, h), tokens = tokens_tile + sum % 2, weights = weights_tile + sum % 2;
      tiles.template begin<sum>();
      tiles.template load<weights>(at.weights + (8 * i + h * 8 / halves) * 4 * panel_rows, 4 * panel_rows);
      tiles.template load<tokens>(at.tokens + i * at.step * 32 + h * 16, 32);
      tiles.template multiply<sum, tokens, weights>();
    });
  }
  template <int i>
  [[gnu::always_inline]] static void store(Tiles& tiles, Sums (&sums)[turn]) {
    each_of<halves>([&](auto h) __attribute__((always_inline)) {
      tiles.template store<tile_of(i, h)>(sums[i][h][0], 4 * panel_rows);
    });
  }
  template <int i>
  [[gnu::always_inline]] void add_up(const Sums& sums, const Place& at, F (&acc)[T]) const {
    F scale[halves], minimum[halves] = {};
    each_of<halves>([&](auto h) __attribute__((always_inline)) {
      scale[h] = P::load(at.scale + (i * halves + h) * panel_rows);
      if constexpr (form.minimum) minimum[h] = P::load(at.minimum + (i * halves + h) * panel_rows);
    });
    each_of<T>([&](auto t) __attribute__((always_inline)) {
      const F x_scale = P::set(at.x_scale[i * at.step + t]);
      [[maybe_unused]] F part;
      each_of<halves>([&](auto h) __attribute__((always_inline)) {
        const F low = P::set(low_of<form, h>(x_, slots_, at.slot + i * at.step + t));
        add_group<P, form, h>(Tiles::load_sums(sums[h][t]), scale[h], minimum[h], x_scale, low, part, acc[t]);
      });
    });
  }
};

inline constexpr int64_t least_tokens = 24;

/// Panels [begin, end) by the first tokens, as many as are in whole tiles of four: by sixteen, the rest by eight, four.
template <class P, class Tiles, PanelForm form>
static void tile_products(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  static_assert(P::lanes == panel_rows);
  Stretch<P, form> stretch;
  for (int64_t p = begin; p < end; ++p) {
    PackedRows<P, form> rows(w, p);
    for (int64_t g = 0; g < x.groups(); g += stretch_groups) {
      const int64_t groups = std::min(stretch_groups, x.groups() - g);
      stretch.unpack(rows, g, groups);
      for (int64_t i = 0; form.offset > 0 && i < groups; ++i)
        for (auto& quad : stretch.code[i])
          for (uint8_t& code : quad) code = static_cast<uint8_t>(code - form.offset);
      int64_t t = 0;
      auto by = [&]<int T>() {
        const int64_t to = t + (x.rows - t) / T * T;
        if (t < to)
          TileTurns<P, Tiles, form, T>(stretch, g, groups, x, t, to).run([&](int64_t token) {
            return TileOfResults<P, T>(w, p, y + token * y_stride, y_stride);
          });
        t = to;
      };
      by.template operator()<tile_tokens>();
      by.template operator()<8>();
      by.template operator()<4>();
    }
  }
}

template <class P, class Tiles, PanelForm form>
static void tiled_products(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  if (x.rows < least_tokens) return panel_products<P, form>(w, x, begin, end, y, y_stride);
  tile_products<P, Tiles, form>(w, x, begin, end, y, y_stride);
  int64_t t = x.rows / 4 * 4;
  auto by_vectors = [&]<int T>() {
    for (; t + T <= x.rows; t += T)
      for (int64_t p = begin; p < end; ++p) panel_product<P, form, T>(w, p, x, t, y, y_stride);
  };
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
  kernels.name = name, kernels.tokens = tile_tokens, kernels.matmul_fast = matmul_tiles<P, Tiles>;
  kernels.bf16 = true, kernels.matmul_bf16 = matmul_bf16<P, Tiles>, kernels.to_bf16 = to_bf16<P>;
  return kernels;
}

}  // namespace madang::simd
