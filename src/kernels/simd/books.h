// A group of a panel whose codes are entries of a code book (quant/panels.h), read out to one byte a code, over the
// panel vocabulary P. The numbers of the entries are put together for sixteen rows at a time; each is then looked up
// by itself, as no instruction set has a wide and fast way to do that; signs and the order of the bytes are wide again.
#pragma once
#include "kernels/simd/unroll.h"
#include "kernels/table.h"
#include "quant/panel_levels.h"

namespace madang::simd {

/// One group of all sixteen rows. simd/panels.h walks a panel of these as it walks any other.
template <class P, PanelForm form>
class BookGroup {
 public:
  /// Codes of quad 4 h + v of the rows of register r, as sums take them.
  typename P::B codes(int quad, int r) const { return P::load_codes(code_[quad] + 4 * P::lanes * r); }

  void read(const uint8_t* group) {
    alignas(64) uint16_t number[entries][panel_rows];
    each_of<entries>([&](auto e) { numbers<e>(group, number[e]); });
    const uint8_t* signs = group + form.low_bytes() + form.high_bytes();
    each_of<entries>([&](auto e) {
      each_of<panel_rows / P::lanes>([&](auto r) {
        constexpr int first = P::lanes / 2 * r;
        if constexpr (form.entry() == 8) {
          const auto even = look_up(number[e] + first, signs + panel_rows * e + first);
          constexpr int half = panel_rows / 2;
          const auto odd = look_up(number[e] + half + first, signs + panel_rows * e + half + first);
          store(2 * e, r, P::template alternate<0>(even, odd));
          store(2 * e + 1, r, P::template alternate<1>(even, odd));
        } else {
          store(e, r, look_up(number[e] + 2 * first, signs + panel_rows / 2 * e + first));
        }
      });
    });
  }

 private:
  static constexpr int entries = form.entries();
  alignas(64) uint8_t code_[8][4 * panel_rows];

  template <int e>
  static void numbers(const uint8_t* group, uint16_t* to) {
    constexpr int bits = form.bits - 8, first = panel_rows * e;
    constexpr int bytes = bits ? static_cast<int>(form.high_bytes()) : 1;
    const uint8_t* high = group + form.low_bytes() + first % bytes;
    constexpr int shift = bits * (first / bytes);
    constexpr bool folded = bytes < panel_rows;
    P::template numbers<bits, shift, folded>(group + first, high, to);
  }
  static typename P::B look_up(const uint16_t* number, const uint8_t* signs) {
    const auto found = P::entries(panel_book<form.levels>().data(), number);
    if constexpr (form.signs()) return P::negated(found, signs);
    return found;
  }
  void store(int quad, int r, typename P::B codes) {
    using Sum = typename P::template Sum<form.width()>;
    P::store_codes(code_[quad] + 4 * P::lanes * r, Sum::prepared(P::template plus<form.offset>(codes)));
  }
};

}  // namespace madang::simd
