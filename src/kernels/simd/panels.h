// Products of panels (quant/panels.h) with int8 activations, over the panel vocabulary P of an instruction set: a
// register holds one number of P::lanes rows, so sums never cross lanes.
//
// A tile is R registers of rows by T tokens. A vector of codes is unpacked once and meets T tokens; the four codes of a
// token are broadcast once and meet R registers. The R T sums of a group stay in registers, and so do the accumulators
// where there are as many: AVX-512 has 32 registers and takes one of rows by twelve tokens (12 + 12, and the twelve
// independent sums hide the latency of the multiply). AVX2 has 16 and takes two by six: the sums fill twelve, the
// accumulators wait in the first-level cache for the end of a group.
#pragma once
#include <algorithm>

#include "kernels/simd/unroll.h"
#include "kernels/table.h"
#include "quant/panel_levels.h"

namespace madang::simd {

/// Where one register's rows of one panel begin.
struct PanelCursor {
  const uint8_t *code, *scale;
};

/// Codes of quad 4 h + v of one group.
template <class P, PanelForm form, int v, int h>
[[gnu::always_inline]] static inline typename P::B quad(const uint8_t* code) {
  if constexpr (form.bits == 8) {
    return P::load_codes(code + 64 * (4 * h + v));
  } else if constexpr (form.bits == 2) {
    return P::template lift<2 * v, 0, 2>(P::load_codes(code + 64 * h));
  } else if constexpr (form.bits == 3) {
    return P::either(P::template lift<2 * v, 0, 2>(P::load_codes(code + 64 * h)),
                     P::template lift<4 * h + v, 2, 1>(P::load_codes(code + 128)));
  } else {
    const auto both = P::load_codes(code + 64 * v);
    const auto low = h == 0 ? P::low_nibbles(both) : P::high_nibbles(both);
    if constexpr (form.bits == 5) return P::either(low, P::template lift<4 * h + v, 4, 1>(P::load_codes(code + 256)));
    if constexpr (form.bits == 6)
      return P::either(low, P::template lift<2 * v, 4, 2>(P::load_codes(code + 256 + 64 * h)));
    static constexpr auto levels = panel_levels(form);
    if constexpr (form.levels != PanelLevels::none) return P::look_up(levels.data(), low);
    return low;
  }
}

/// The scales and minimums of R registers of rows, as they are walked group by group.
template <class P, PanelForm form, int R>
struct PanelScales {
  using F = typename P::F;
  const uint8_t* at;
  F d[R], dmin[R];

  void begin_block(int first_row) {
    each_of<R>([&](auto r) {
      const uint8_t* halves = at + 2 * (first_row + r * P::lanes);
      d[r] = P::load_half(halves);
      if constexpr (form.minimum) dmin[r] = P::load_half(halves + 2 * panel_rows);
    });
    at += 2 * panel_rows * (form.minimum ? 2 : 1);
  }
  void next(int first_row, F (&scale)[R]) {
    each_of<R>([&](auto r) { scale[r] = one(first_row + r * P::lanes, d[r]); });
    if (!form.nibbles()) at += form.rows_bytes();
  }
  /// The minimums that follow `scale`.
  void next_minimum(int first_row, const F (&scale)[R], F (&minimum)[R]) {
    each_of<R>([&](auto r) {
      const uint8_t* p = at + first_row + r * P::lanes;
      if constexpr (form.zeros())
        minimum[r] = P::mul(scale[r], P::load_u8(p));
      else if constexpr (form.nibbles())
        minimum[r] = P::mul(dmin[r], P::load_high_nibbles(p));
      else
        minimum[r] = one(first_row + r * P::lanes, dmin[r]);
    });
    at += form.zeros() ? panel_rows : form.rows_bytes();
  }

 private:
  F one(int row, F factor) const {
    if constexpr (form.halves())
      return P::load_half(at + 2 * row);
    else if constexpr (form.scale == PanelScale::exponent)
      return P::load_half_e8m0(at + row);
    else if constexpr (form.scale == PanelScale::block)
      return factor;
    else if constexpr (form.nibbles())
      return P::mul(factor, P::load_low_nibbles(at + row));
    else if constexpr (form.scale == PanelScale::byte)
      return P::mul(factor, P::load_u8(at + row));
    else if constexpr (form.scale == PanelScale::signed_byte)
      return P::mul(factor, P::load_i8(at + row));
    else
      return P::load(reinterpret_cast<const float*>(at) + row);
  }
};

// A panel is two streams, codes and scales, and short ones: what fetches ahead by itself has hardly found them when
// they end. So the walk asks for its bytes as they lie in memory, this far ahead: the time of a read from memory (about
// a tenth of a microsecond) at the rate of one processor.
inline constexpr int64_t fetch_ahead = 8192;

/// Rows [first_row, first_row + R * P::lanes) of one panel by T tokens from slot `slot` on.
template <class P, PanelForm form, int R, int T>
[[gnu::always_inline]] static inline void panel_tile(const PanelCursor& w, int first_row, const Int8Rows& x,
                                                     int64_t slot, typename P::F (&acc)[R][T]) {
  using F = typename P::F;
  using Sum = typename P::template Sum<form.width()>;
  constexpr int halves = 32 / form.group;
  const int64_t groups = x.groups(), slots = x.slots();
  const uint8_t *code = w.code + 4 * first_row, *ahead = w.code + fetch_ahead;
  constexpr int64_t stride = form.code_bytes() + form.scale_bytes() * 32 / form.block();
  PanelScales<P, form, R> scales{w.scale};
  for (auto& row : acc)
    for (F& a : row) a = P::zero();
  for (int64_t g = 0; g < groups; ++g, code += form.code_bytes(), slot += x.tile) {
    if (form.shared() && g % 8 == 0) scales.begin_block(first_row);
    const int8_t* xc = x.code + slot * 32;
    if (first_row == 0)
      for (int64_t i = 0; i < stride; i += 64) __builtin_prefetch(ahead + i);
    ahead += stride;
    Sum sum[R][T];
    each_of<2>([&](auto h) {
      constexpr bool begins = h == 0 || halves == 2, ends = h == 1 || halves == 2;
      const int32_t* less = x.less + slot + (halves == 2 ? (h + 1) * slots : 0);
      if constexpr (begins)
        each_of<R>([&](auto r) { each_of<T>([&](auto t) { sum[r][t].template begin<form.offset>(less + t); }); });
      each_of<4>([&](auto v) {
        typename P::B codes[R];
        each_of<R>([&](auto r) { codes[r] = Sum::prepared(quad<P, form, v, h>(code + 4 * P::lanes * r)); });
        each_of<T>([&](auto t) {
          const auto four = P::four(xc + 32 * t + 16 * h + 4 * v);
          each_of<R>([&](auto r) { sum[r][t].template add<halves == 2 ? v : 4 * h + v>(codes[r], four); });
        });
      });
      if constexpr (ends) {
        F scale[R], minimum[R];
        scales.next(first_row, scale);
        if constexpr (form.minimum) scales.next_minimum(first_row, scale, minimum);
        each_of<T>([&](auto t) {
          const F x_scale = P::set(x.scale[slot + t]);
          [[maybe_unused]] F low;
          if constexpr (form.minimum)
            low = halves == 1 ? P::set(x.low[slot + t])
                              : P::set(x.scale[slot + t] * static_cast<float>(Int8Rows::whole(less[t])));
          each_of<R>([&](auto r) {
            acc[r][t] = P::fma(sum[r][t].template total<form.offset>(less + t), P::mul(scale[r], x_scale), acc[r][t]);
            if constexpr (form.minimum) acc[r][t] = P::fma(minimum[r], low, acc[r][t]);
          });
        });
      }
    });
  }
}

/// One panel by T tokens, from token t on.
template <class P, PanelForm form, int T>
static void panel_product(const PanelCursor& w, int64_t row, int64_t rows, const Int8Rows& x, int64_t t, float* y,
                          int64_t y_stride) {
  constexpr int R = P::template together<form.width()>;
  for (int first = 0; first < panel_rows; first += R * P::lanes) {
    typename P::F acc[R][T];
    panel_tile<P, form, R, T>(w, first, x, x.slot(t, 0), acc);
    each_of<R>([&](auto r) {
      const int64_t at = row + first + r * P::lanes, held = rows - at;
      for (int i = 0; i < T; ++i)
        if (held > 0) P::store_n(y + (t + i) * y_stride + at, acc[r][i], held);
    });
  }
}

/// Panels [begin, end): a tile of tokens stays in the first-level cache while the panels go by.
template <class P, PanelForm form>
static void panel_products(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  constexpr int most = P::template tokens<form.width()>;
  auto all = [&]<int T>(int64_t t) {
    for (int64_t p = begin; p < end; ++p)
      panel_product<P, form, T>({w.codes(p), w.scales(p)}, p * panel_rows, w.rows, x, t, y, y_stride);
  };
  for (int64_t tile = 0; tile < x.rows; tile += x.tile) {
    const int64_t last = std::min(tile + x.tile, x.rows);
    int64_t t = tile;
    for (; t + most <= last; t += most) all.template operator()<most>(t);
    if constexpr (most > 4)
      for (; t + 4 <= last; t += 4) all.template operator()<4>(t);
    for (; t + 2 <= last; t += 2) all.template operator()<2>(t);
    for (; t < last; ++t) all.template operator()<1>(t);
  }
}

template <class P>
void matmul_fast(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  each_of<panel_form_count>([&](auto form) {
    if (w.form == form) panel_products<P, panel_forms[form]>(w, x, begin, end, y, y_stride);
  });
}

template <class V>
void to_int8(const float* x, int64_t begin, int64_t end, const Int8Rows& out) {
  const int64_t groups = out.groups(), slots = out.slots();
  for (int64_t r = begin; r < end; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      const float* p = x + r * out.cols + g * 32;
      const int64_t slot = out.slot(r, g);
      typename V::F v[4], top = V::zero();
      for (int i = 0; i < 4; ++i) v[i] = V::load(p + 8 * i), top = V::max(top, V::abs(v[i]));
      float lanes[8], largest = 0;
      V::store(lanes, top);
      for (float lane : lanes) largest = std::max(largest, lane);
      const auto inverse = V::set(largest > 0 ? 127.0f / largest : 0.0f);
      for (auto& f : v) f = V::round(V::mul(f, inverse));
      const auto codes = V::pack(v[0], v[1], v[2], v[3]);
      V::store_bytes(out.code + slot * 32, codes);
      int16_t sums[2][2];
      V::pair_sums(codes, sums);
      out.less[slot] = Int8Rows::both(-sums[0][0] - sums[1][0], -sums[0][1] - sums[1][1]);
      for (int h = 0; h < 2; ++h) out.less[(h + 1) * slots + slot] = Int8Rows::both(-sums[h][0], -sums[h][1]);
      out.scale[slot] = largest / 127.0f;
      out.low[slot] = out.scale[slot] * static_cast<float>(Int8Rows::whole(out.less[slot]));
    }
}

}  // namespace madang::simd
