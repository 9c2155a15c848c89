// Products of panels (quant/panels.h) with int8 activations, over the panel vocabulary P of an instruction set: a
// register holds one number of P::lanes rows, so sums never cross lanes.
//
// A tile is R registers of rows by T tokens. A vector of codes is unpacked once and meets T tokens; the four codes of a
// token are broadcast once and meet R registers. The R T sums of a group stay in registers, and so do the accumulators
// where there are as many: AVX-512 has 32 registers and takes one of rows by twelve tokens (12 + 12, and the twelve
// independent sums hide the latency of the multiply). AVX2 has 16 and takes two by six: the sums fill twelve, the
// accumulators wait in the first-level cache for the end of a group.
//
// Few tokens (an answer's) take the codes as they are packed, for then memory is what holds them up. For many (a
// prompt's) each stretch of a panel is unpacked once: its codes to bytes, its scales to floats.
#pragma once
#include <algorithm>

#include "kernels/simd/books.h"
#include "kernels/simd/unroll.h"
#include "kernels/table.h"
#include "quant/panel_levels.h"

namespace madang::simd {

/// Codes of quad 4 h + v of one group.
template <class P, PanelForm form, int v, int h>
[[gnu::always_inline]] static inline typename P::B quad(const uint8_t* code) {
  if constexpr (form.bits == 8) {
    return P::load_codes(code + 64 * (4 * h + v));
  } else if constexpr (form.bits == 1) {
    return P::template lift<4 * h + v, 1, 1>(P::load_codes(code));
  } else if constexpr (form.bits == 2) {
    return P::template lift<2 * v, 0, 2>(P::load_codes(code + 64 * h));
  } else if constexpr (form.bits == 3) {
    return P::either(P::template lift<4 * h + v, 2, 1>(P::load_codes(code)),
                     P::template lift<2 * v, 0, 2>(P::load_codes(code + 64 * (1 + h))));
  } else {
    const auto both = P::load_codes(code + 64 * (form.bits > 4 ? form.bits - 4 : 0) + 64 * v);
    const auto low = h == 0 ? P::low_nibbles(both) : P::high_nibbles(both);
    if constexpr (form.bits == 5) return P::either(P::template lift<4 * h + v, 4, 1>(P::load_codes(code)), low);
    if constexpr (form.bits == 6) return P::either(P::template lift<2 * v, 4, 2>(P::load_codes(code + 64 * h)), low);
    static constexpr auto levels = panel_levels(form);
    if constexpr (form.levels != PanelLevels::none) return P::look_up(levels.data(), low);
    return low;
  }
}

/// The scales and minimums of R registers of rows, as they are walked group by group.
template <class P, PanelForm form, int R>
struct PanelScales {
  using F = typename P::F;

  explicit PanelScales(const uint8_t* first) : at(first) {}

  void begin_block() {
    each_of<R>([&](auto r) {
      const uint8_t* halves = at + 2 * r * P::lanes;
      d[r] = P::load_half(halves);
      if constexpr (form.scale == PanelScale::odd)
        d[r] = P::mul(d[r], P::set(1.0f / static_cast<float>(form.unit()))), dmin[r] = P::mul(d[r], P::set(2));
      if constexpr (form.minimum) dmin[r] = P::load_half(halves + 2 * panel_rows);
    });
    at += 2 * panel_rows * (form.minimum ? 2 : 1);
  }
  void next(F (&scale)[R]) {
    if constexpr (form.scale == PanelScale::odd) return next_odd(scale);
    each_of<R>([&](auto r) { scale[r] = one(r * P::lanes, d[r]); });
    if (!form.nibbles()) at += form.rows_bytes();
  }
  /// The minimums that follow `scale`.
  void next_minimum(const F (&scale)[R], F (&minimum)[R]) {
    each_of<R>([&](auto r) {
      const uint8_t* p = at + r * P::lanes;
      if constexpr (form.zeros())
        minimum[r] = P::mul(scale[r], P::load_u8(p));
      else if constexpr (form.nibbles())
        minimum[r] = P::mul(dmin[r], P::load_high_nibbles(p));
      else
        minimum[r] = one(r * P::lanes, dmin[r]);
    });
    at += form.zeros() ? panel_rows : form.rows_bytes();
  }

 private:
  const uint8_t* at;
  F d[R], dmin[R];
  bool second = false;  // of two scales in a byte

  // Exact, in whatever order: a float16 times a number below 32.
  void next_odd(F (&scale)[R]) {
    each_of<R>([&](auto r) {
      const uint8_t* p = at + r * P::lanes;
      scale[r] = P::fma(second ? P::load_high_nibbles(p) : P::load_low_nibbles(p), dmin[r], d[r]);
    });
    if (second) at += panel_rows;
    second = !second;
  }
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

/// The rows of one panel, walked group by group as they are packed. P::reads_ahead bytes are fetched ahead by hand;
/// none where the processor follows the one stream better, or where the instructions that ask for lines are what holds
/// the reading up (both Zen).
template <class P, PanelForm form>
class PackedRows {
 public:
  static constexpr int R = panel_rows / P::lanes;  ///< registers of rows

  PackedRows(const Panels& w, int64_t panel)
      : span_(w.bytes + w.span_at(panel, 0)), groups_(w.groups()), scales_(span_), fetched_(span_) {}

  void begin(int64_t group) {
    if (group % form.span() == 0) {
      const int64_t groups = std::min(form.span(), groups_ - group);
      scales_ = PanelScales<P, form, R>(span_);
      if constexpr (form.shared()) scales_.begin_block();
      code_ = span_ + form.span_scales(groups);
      span_ = code_ + groups * form.code_bytes();
    }
    if constexpr (form.book()) book_.read(code_);
    if constexpr (P::reads_ahead > 0)
      for (; fetched_ < code_ + form.code_bytes(); fetched_ += 64) P::fetch(fetched_ + P::reads_ahead);
  }
  template <int v, int h>
  typename P::B codes(int r) const {
    if constexpr (form.book()) return book_.codes(4 * h + v, r);
    return P::template Sum<form.width()>::prepared(quad<P, form, v, h>(code_ + 4 * P::lanes * r));
  }
  /// Of the group, or of its halves one after the other.
  void scales(typename P::F (&scale)[R], typename P::F (&minimum)[R]) {
    scales_.next(scale);
    if constexpr (form.minimum) scales_.next_minimum(scale, minimum);
  }
  void end() { code_ += form.code_bytes(); }

 private:
  const uint8_t *span_, *code_ = nullptr;  // the next span, and the group's codes in this one
  int64_t groups_;
  PanelScales<P, form, R> scales_;
  const uint8_t* fetched_;  // what lies reads_ahead before it

  struct Nothing {};
  [[no_unique_address]] std::conditional_t<form.book(), BookGroup<P, form>, Nothing> book_;
};

// Groups of a panel that are unpacked together: 32 KiB of bytes, 4 KiB of scales and as much of minimums, which stay in
// a second-level cache beside the tokens that go by. (Half of it, for the first level, is not faster: then the sums
// come and go twice as often.) A whole number of the blocks that share a scale.
inline constexpr int64_t stretch_groups = 64;

/// A stretch of a panel for many tokens: codes as they are multiplied, a byte each, and scales as floats.
template <class P, PanelForm form>
struct Stretch {
  static constexpr int halves = 32 / form.group;
  alignas(64) uint8_t code[stretch_groups][8][4 * panel_rows];
  alignas(64) float scale[stretch_groups * halves][panel_rows], minimum[stretch_groups * halves][panel_rows];

  /// The next `groups` of all rows.
  void unpack(PackedRows<P, form>& rows, int64_t begin, int64_t groups) {
    constexpr int R = PackedRows<P, form>::R;
    for (int64_t g = 0; g < groups; ++g) {
      rows.begin(begin + g);
      each_of<2>([&](auto h) {
        each_of<4>([&](auto v) {
          each_of<R>(
              [&](auto r) { P::store_codes(code[g][4 * h + v] + 4 * P::lanes * r, rows.template codes<v, h>(r)); });
        });
        if constexpr (h < halves) {
          typename P::F some[R], less[R];
          rows.scales(some, less);
          each_of<R>([&](auto r) {
            P::store(scale[g * halves + h] + P::lanes * r, some[r]);
            if constexpr (form.minimum) P::store(minimum[g * halves + h] + P::lanes * r, less[r]);
          });
        }
      });
      rows.end();
    }
  }
};

/// All rows of a stretch, walked as PackedRows are.
template <class P, PanelForm form>
class UnpackedRows {
 public:
  static constexpr int R = panel_rows / P::lanes;

  explicit UnpackedRows(const Stretch<P, form>& w) : w_(w) {}

  void begin(int64_t) {}
  template <int v, int h>
  typename P::B codes(int r) const {
    return P::load_codes(w_.code[group_][4 * h + v] + 4 * P::lanes * r);
  }
  void scales(typename P::F (&scale)[R], typename P::F (&minimum)[R]) {
    each_of<R>([&](auto r) {
      scale[r] = P::load(w_.scale[piece_] + P::lanes * r);
      if constexpr (form.minimum) minimum[r] = P::load(w_.minimum[piece_] + P::lanes * r);
    });
    ++piece_;
  }
  void end() { ++group_; }

 private:
  const Stretch<P, form>& w_;
  int64_t group_ = 0, piece_ = 0;
};

/// What a group, or half `h` of one, adds to a result: `part` is what the first half has left for the second, `low`
/// minus the sum of the token's codes, of a whole group times its scale. The order is that of Kernels::matmul_fast.
template <class P, PanelForm form, int h>
[[gnu::always_inline]] static inline void add_group(typename P::F total, typename P::F scale, typename P::F minimum,
                                                    typename P::F x_scale, typename P::F low, typename P::F& part,
                                                    typename P::F& acc) {
  if constexpr (form.group == 32) {
    acc = P::fma(total, P::mul(scale, x_scale), acc);
    if constexpr (form.minimum) acc = P::fma(minimum, low, acc);
  } else {
    part = h == 0 ? P::mul(total, scale) : P::fma(total, scale, part);
    if constexpr (form.minimum) part = P::fma(minimum, low, part);
    if constexpr (h == 1) acc = P::fma(part, x_scale, acc);
  }
}

/// The `low` of add_group: of slot `at` of `slots`, and of half h where a group has two.
template <PanelForm form, int h>
[[gnu::always_inline]] static inline float low_of(const Int8Rows& x, int64_t slots, int64_t at) {
  if constexpr (!form.minimum) return 0;
  if constexpr (form.group == 32) return x.low[at];
  return static_cast<float>(Int8Rows::whole(x.less[(h + 1) * slots + at]));
}

/// A panel's rows by T tokens over `groups` groups; `slot` is the first token's in the first of them.
template <class P, PanelForm form, int T, class Rows>
[[gnu::always_inline]] static inline void panel_tile(Rows rows, const Int8Rows& x, int64_t slot, int64_t groups,
                                                     typename P::F (&acc)[Rows::R][T]) {
  using F = typename P::F;
  constexpr int R = Rows::R;
  using Sum = typename P::template Sum<form.width()>;
  constexpr int halves = 32 / form.group;
  const int64_t slots = x.slots();
  for (int64_t g = 0; g < groups; ++g, slot += x.tile) {
    const int8_t* xc = x.code + slot * 32;
    rows.begin(g);
    Sum sum[R][T];
    [[maybe_unused]] F part[R][T];  // of the group's first half, without the tokens' scales
    each_of<2>([&](auto h) {
      constexpr bool begins = h == 0 || halves == 2, ends = h == 1 || halves == 2;
      const int32_t* less = x.less + slot + (halves == 2 ? (h + 1) * slots : 0);
      if constexpr (begins)
        each_of<R>([&](auto r) { each_of<T>([&](auto t) { sum[r][t].template begin<form.offset>(less + t); }); });
      each_of<4>([&](auto v) {
        typename P::B codes[R];
        each_of<R>([&](auto r) { codes[r] = rows.template codes<v, h>(r); });
        each_of<T>([&](auto t) {
          const auto four = P::four(xc + 32 * t + 16 * h + 4 * v);
          each_of<R>([&](auto r) { sum[r][t].template add<halves == 2 ? v : 4 * h + v>(codes[r], four); });
        });
      });
      if constexpr (ends) {
        F scale[R], minimum[R] = {};
        rows.scales(scale, minimum);
        each_of<T>([&](auto t) {
          const F x_scale = P::set(x.scale[slot + t]);
          const F low = P::set(low_of<form, h>(x, slots, slot + t));
          each_of<R>([&](auto r) {
            add_group<P, form, h>(sum[r][t].template total<form.offset>(less + t), scale[r], minimum[r], x_scale, low,
                                  part[r][t], acc[r][t]);
          });
        });
      }
    });
    rows.end();
  }
}

/// Where a panel's sums of T tokens go to and come from: y [tokens, y_stride], from the first of the tokens on.
template <class P, int T>
class TileOfResults {
 public:
  static constexpr int R = panel_rows / P::lanes;
  using Sums = typename P::F[R][T];

  TileOfResults(const Panels& w, int64_t panel, float* y, int64_t y_stride)
      : y_(y + panel * panel_rows), stride_(y_stride), held_(w.rows - panel * panel_rows) {}

  void zero(Sums& acc) const {
    each_of<R>([&](auto r) { each_of<T>([&](auto t) { acc[r][t] = P::zero(); }); });
  }
  void load(Sums& acc) const {
    each_of<R>([&](auto r) {
      for (int t = 0; t < T; ++t) acc[r][t] = P::load_n(y_ + t * stride_ + r * P::lanes, left(r));
    });
  }
  void store(const Sums& acc) const {
    each_of<R>([&](auto r) {
      for (int t = 0; t < T; ++t)
        if (left(r) > 0) P::store_n(y_ + t * stride_ + r * P::lanes, acc[r][t], left(r));
    });
  }

 private:
  float* y_;
  int64_t stride_, held_;

  int64_t left(int r) const { return std::max<int64_t>(0, held_ - r * P::lanes); }
};

/// One panel by T tokens, from token t on.
template <class P, PanelForm form, int T>
static void panel_product(const Panels& w, int64_t panel, const Int8Rows& x, int64_t t, float* y, int64_t y_stride) {
  const TileOfResults<P, T> results(w, panel, y + t * y_stride, y_stride);
  typename TileOfResults<P, T>::Sums acc;
  results.zero(acc);
  panel_tile<P, form, T>(PackedRows<P, form>(w, panel), x, x.slot(t, 0), x.groups(), acc);
  results.store(acc);
}

/// One panel by tokens [0, tokens), T at a time: each stretch of it is unpacked once and meets them all.
template <class P, PanelForm form, int T>
static void unpacked_product(const Panels& w, int64_t panel, const Int8Rows& x, int64_t tokens, float* y,
                             int64_t y_stride) {
  Stretch<P, form> stretch;
  PackedRows<P, form> rows(w, panel);
  for (int64_t g = 0; g < x.groups(); g += stretch_groups) {
    const int64_t groups = std::min(stretch_groups, x.groups() - g);
    stretch.unpack(rows, g, groups);
    for (int64_t t = 0; t < tokens; t += T) {
      const TileOfResults<P, T> results(w, panel, y + t * y_stride, y_stride);
      typename TileOfResults<P, T>::Sums acc;
      g == 0 ? results.zero(acc) : results.load(acc);
      panel_tile<P, form, T>(UnpackedRows<P, form>(stretch), x, x.slot(t, g), groups, acc);
      results.store(acc);
    }
  }
}

/// Panels [begin, end).
template <class P, PanelForm form>
static void panel_products(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  constexpr int most = P::template tokens<form.width()>;
  int64_t done = 0;
  // Unpacking costs as much as one or two tiles of tokens lose by it.
  if constexpr (form.bits < 8 || form.book())
    if (x.rows >= 4 * most) {
      done = x.rows / most * most;
      for (int64_t p = begin; p < end; ++p) unpacked_product<P, form, most>(w, p, x, done, y, y_stride);
    }
  // A tile of tokens stays in the first-level cache while the panels go by.
  auto all = [&]<int T>(int64_t t) {
    for (int64_t p = begin; p < end; ++p) panel_product<P, form, T>(w, p, x, t, y, y_stride);
  };
  for (int64_t tile = 0; tile < x.rows; tile += x.tile) {
    const int64_t last = std::min(tile + x.tile, x.rows);
    int64_t t = std::max(tile, done);
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

}  // namespace madang::simd
