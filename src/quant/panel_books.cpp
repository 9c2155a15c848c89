#include "quant/panel_books.h"

#include <algorithm>
#include <cstring>

#include "quant/lattice.h"

namespace madang {
namespace {

constexpr int block_weights = 256;

// The numbers of entries and the signs of a block's group g, of row r.
void put_entries(const PanelForm& form, const lattice::Entries& block, int g, int r, uint8_t* group) {
  const int n = form.entries(), place = form.entry() == 8 ? book_place(r) : r, bits = form.bits - 8;
  uint8_t *high = group + form.low_bytes(), *signs = high + form.high_bytes();
  for (int e = 0; e < n; ++e) {
    const int number = block.entry[g * n + e], at = panel_rows * e + place;
    group[at] = static_cast<uint8_t>(number);
    if (bits) {
      const auto bytes = static_cast<int>(form.high_bytes());
      high[at % bytes] = static_cast<uint8_t>(high[at % bytes] | number >> 8 << bits * (at / bytes));
    }
  }
  if (!form.signs()) return;
  for (int i = 0; i < 4; ++i) {
    const uint8_t eight = block.negative[4 * g + i];
    if (form.entry() == 8) {
      signs[panel_rows * i + place] = eight;
    } else {
      for (int half = 0; half < 2; ++half) {
        uint8_t& byte = signs[panel_rows / 2 * (2 * i + half) + r / 2];
        byte = static_cast<uint8_t>(byte | (eight >> 4 * half & 15) << 4 * (r % 2));
      }
    }
  }
}

void read_entries(const PanelForm& form, const uint8_t* block, lattice::Entries& entries) {
  switch (form.levels) {
    case PanelLevels::iq1:
      return form.group == 32 ? lattice::iq1_s(block, entries) : lattice::iq1_m(block, entries);
    case PanelLevels::iq2_xxs:
      return lattice::iq2_xxs(block, entries);
    case PanelLevels::iq2_xs:
      return lattice::iq2_xs(block, entries);
    case PanelLevels::iq2_s:
      return lattice::iq2_s(block, entries);
    case PanelLevels::iq3_xxs:
      return lattice::iq3_xxs(block, entries);
    default:
      return lattice::iq3_s(block, entries);
  }
}

// Code i of an entry.
int code_in_book(PanelLevels levels, size_t number, int i) {
  auto in = [&](const auto& book) { return static_cast<int8_t>(book[number] >> 8 * i & 255); };
  switch (levels) {
    case PanelLevels::iq1:
      return in(iq1_grid);
    case PanelLevels::iq2_xxs:
      return in(iq2_xxs_grid);
    case PanelLevels::iq2_xs:
      return in(iq2_xs_grid);
    case PanelLevels::iq2_s:
      return in(iq2_s_grid);
    case PanelLevels::iq3_xxs:
      return in(iq3_xxs_grid);
    default:
      return in(iq3_s_grid);
  }
}

}  // namespace

void pack_book(const Weight& w, int64_t row, int64_t end, const Panels& p, int64_t panel, uint8_t* memory) {
  const Format& f = *w.format;
  const PanelForm& form = p.shape();
  for (int64_t block = 0; block < w.cols / block_weights; ++block) {
    uint8_t* scales = memory + p.scales_at(panel, block * 8);
    for (int r = 0; r < std::min<int64_t>(panel_rows, end - row); ++r) {
      lattice::Entries entries;
      read_entries(form, w.row(row + r) + block * f.bytes, entries);
      for (int g = 0; g < 8; ++g) put_entries(form, entries, g, r, memory + p.codes_at(panel, block * 8 + g));
      std::memcpy(scales + 2 * r, &entries.d, 2);
      for (int g = 0; g < block_weights / form.group; ++g) {
        uint8_t& byte = scales[2 * panel_rows + panel_rows * (g / 2) + r];
        byte = static_cast<uint8_t>(byte | entries.s[g] << 4 * (g % 2));
      }
    }
  }
}

int code_of_entry(const PanelForm& form, const uint8_t* group, int r, int column) {
  const int n = form.entry(), bits = form.bits - 8, e = column / n;
  const int at = panel_rows * e + (n == 8 ? book_place(r) : r);
  const uint8_t *high = group + form.low_bytes(), *signs = high + form.high_bytes();
  size_t number = group[at];
  if (const auto bytes = static_cast<int>(form.high_bytes()))
    number |= static_cast<size_t>(high[at % bytes] >> bits * (at / bytes) & ((1 << bits) - 1)) << 8;
  const int code = code_in_book(form.levels, number, column % n);
  const bool negative = form.signs() && (n == 8 ? signs[at] >> column % 8 & 1
                                                : signs[panel_rows / 2 * e + r / 2] >> (4 * (r % 2) + column % 4) & 1);
  return (negative ? -code : code) + form.offset;
}

}  // namespace madang
