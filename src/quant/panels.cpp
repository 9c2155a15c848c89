// Packing: blocks are read by the format's own reader, row by row, and their codes put where panels.h says.
#include "quant/panels.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>

#include "base/slabs.h"
#include "base/thread_pool.h"
#include "quant/bits.h"
#include "quant/k_quants.h"
#include "quant/panel_books.h"
#include "quant/panel_levels.h"
#include "quant/weight.h"

namespace madang {
namespace {

// All blocks of the file formats divide this, and it divides by every group.
constexpr int span = 256;
constexpr int first_loose = panel_form_count - 4;

// `n` (at most 256) weights of sixteen rows, from one place in each.
struct Piece {
  uint8_t code[panel_rows][span];
  float scale[panel_rows][span / 16], minimum[panel_rows][span / 16];
  const uint8_t* blocks[panel_rows];  // the file's own bytes; null past the last row
};

uint32_t four(const uint8_t* code) { return field32(code); }
void put(uint8_t* at, uint32_t word) { std::memcpy(at, &word, 4); }

// One group of 32 of row r, from `code`, into the group's vectors.
void put_codes(int bits, const uint8_t* code, int r, uint8_t* to) {
  // Bits [at, at + count) of all eight quads, `count` bits a quad, as many quads to a word as a byte holds.
  auto put_bits = [&](int at, int count, uint8_t* vectors) {
    const uint32_t mask = 0x01010101u * ((1u << count) - 1);
    const int in_word = 8 / count;
    for (int q = 0; q < 8; q += in_word) {
      uint32_t word = 0;
      for (int i = 0; i < in_word; ++i) word |= (four(code + 4 * (q + i)) >> at & mask) << count * i;
      put(vectors + 64 * (q / in_word) + 4 * r, word);
    }
  };
  if (bits == 8) {
    for (int q = 0; q < 8; ++q) put(to + 64 * q + 4 * r, four(code + 4 * q));
  } else if (bits == 1) {
    put_bits(1, 1, to);
  } else if (bits < 4) {
    if (bits == 3) put_bits(2, 1, to);
    put_bits(0, 2, to + 64 * (bits - 2));
  } else {
    if (bits > 4) put_bits(4, bits - 4, to);
    to += 64 * (bits - 4);
    for (int v = 0; v < 4; ++v)
      put(to + 64 * v + 4 * r, (four(code + 4 * v) & 0x0F0F0F0Fu) | (four(code + 16 + 4 * v) & 0x0F0F0F0Fu) << 4);
  }
}

void put_half(uint8_t* to, int r, float value) {
  const uint16_t h = half_of_float(value);
  std::memcpy(to + 2 * r, &h, 2);
}

// The scales of a file's block of 256 that are bytes times d, or d itself, as they are.
struct ByteScales {
  uint8_t scale[16], minimum[16];
  const uint8_t *d, *dmin;  // float16
};

ByteScales byte_scales(const PanelForm& form, const uint8_t* block, int block_bytes) {
  ByteScales s{};
  float whole[16];  // whole numbers, to bytes with a sign
  auto keep = [&] {
    std::ranges::transform(whole, s.scale, [](float x) { return static_cast<uint8_t>(static_cast<int8_t>(x)); });
  };
  if (form.nibbles()) {  // Q2_K
    std::memcpy(s.scale, block, 16);
    s.d = block + 80, s.dmin = block + 82;
  } else if (form.scale == PanelScale::block) {  // TQ1_0 and TQ2_0: d stands last
    s.d = block + block_bytes - 2;
  } else if (form.minimum) {  // Q4_K and Q5_K
    k_quants::six_bits(block + 4, s.scale, s.minimum);
    s.d = block, s.dmin = block + 2;
  } else if (form.bits == 6) {
    std::memcpy(s.scale, block + 192, 16);
    s.d = block + 208;
  } else if (form.bits == 3) {
    k_quants::q3_k_scales(block + 96, 1, whole);
    s.d = block + 108, keep();
  } else {  // IQ4_XS
    std::ranges::fill(whole, 0.0f);
    lattice::iq4_xs_scales(block, 1, whole);
    s.d = block, keep();
  }
  return s;
}

// Byte g is row r's of group g.
void put_byte_scales(const PanelForm& form, const uint8_t* block, int block_bytes, int r, uint8_t* to) {
  const ByteScales s = byte_scales(form, block, block_bytes);
  std::memcpy(to + 2 * r, s.d, 2);
  if (form.minimum) std::memcpy(to + 2 * panel_rows + 2 * r, s.dmin, 2);
  if (form.scale == PanelScale::block) return;
  uint8_t* at = to + 2 * panel_rows * (form.minimum ? 2 : 1) + r;
  for (int g = 0; g < span / form.group; ++g, at += panel_rows) {
    *at = s.scale[g];
    if (form.minimum && !form.nibbles()) *(at += panel_rows) = s.minimum[g];
  }
}

// The scales of row r's group g (of 32) of a piece, of a form whose groups share none.
void put_scales(const PanelForm& form, const Piece& piece, int block_bytes, int64_t g, int r, uint8_t* to) {
  if (form.scale == PanelScale::exponent) {
    to[r] = piece.blocks[r][g * block_bytes];
    return;
  }
  auto one = [&](float value) {
    if (form.halves())
      put_half(to, r, value);
    else
      std::memcpy(to + 4 * r, &value, 4);
    to += form.rows_bytes();
  };
  const int64_t parts = 32 / form.group;
  for (int64_t i = g * parts; i < (g + 1) * parts; ++i) {
    one(piece.scale[r][i]);
    if (form.zeros()) {  // stands after the block's scale
      to[r] = piece.blocks[r][i * block_bytes + (form.halves() ? 2 : 4)];
      to += panel_rows;
    } else if (form.minimum) {
      one(piece.minimum[r][i]);
    }
  }
}

// What is kept of each code: itself, or which level it is.
std::array<uint8_t, 256> kept_codes(const PanelForm& form) {
  std::array<uint8_t, 256> kept;
  std::iota(kept.begin(), kept.end(), uint8_t{0});
  const auto levels = panel_levels(form);
  for (uint8_t i = 0; form.levels != PanelLevels::none && i < 16; ++i) kept[levels[i]] = i;
  return kept;
}

// Rows [row, row + 16) of w, those past `end` zero, into a panel of p, whose bytes are `memory`.
void pack_panel(const Weight& w, int64_t row, int64_t end, const Panels& p, int64_t panel, uint8_t* memory) {
  const PanelForm& form = p.shape();
  std::memset(memory + panel * p.panel_size(), 0, static_cast<size_t>(p.panel_size()));
  if (form.book()) return pack_book(w, row, end, p, panel, memory);
  const Format& f = *w.format;
  std::unique_ptr<Piece> piece(new Piece{});
  const std::array<uint8_t, 256> which = kept_codes(form);
  const int64_t held = std::min<int64_t>(panel_rows, end - row);
  for (int64_t at = 0; at < w.cols; at += span) {
    const int64_t n = std::min<int64_t>(span, w.cols - at), first = at / 32;
    for (int r = 0; r < held; ++r) {
      int8_t code[span];
      const uint8_t* block = piece->blocks[r] = w.row(row + r) + at / f.block * f.bytes;
      for (int64_t i = 0; i < n; i += f.block, block += f.bytes)
        f.codes(block, code + i, piece->scale[r] + i / f.group, piece->minimum[r] + i / f.group);
      for (int64_t i = 0; i < n; ++i) piece->code[r][i] = which[static_cast<uint8_t>(code[i] + form.offset)];
    }
    for (int64_t g = 0; g < n / 32; ++g) {
      uint8_t* to = memory + p.codes_at(panel, first + g);
      for (int r = 0; r < panel_rows; ++r) put_codes(form.bits, piece->code[r] + 32 * g, r, to);
    }
    if (form.shared())
      for (int r = 0; r < held; ++r)
        put_byte_scales(form, piece->blocks[r], f.bytes, r, memory + p.scales_at(panel, first));
    else
      for (int64_t g = 0; g < n / 32; ++g)
        for (int r = 0; r < held; ++r) put_scales(form, *piece, f.bytes, g, r, memory + p.scales_at(panel, first + g));
  }
}

}  // namespace

int panel_form(const Format& format) {
  switch (format.gguf_type) {  // ids of quant/formats.cpp
    case 2:
      return 0;
    case 3:
      return 1;
    case 6:
      return 2;
    case 7:
      return 3;
    case 8:
      return 4;
    case 12:
      return 5;
    case 13:
      return 6;
    case 14:
      return 7;
    case 10:
      return 13;
    case 11:
      return 8;
    case 20:
      return 9;
    case 23:
      return 10;
    case grouped::int4_f16_id:
      return 11;
    case grouped::int4_id:
      return 12;
    case 34:
    case 35:
      return 14;
    case 39:
      return 15;
    case 40:
      return 16;
    case grouped::fp4_e2m1_id:
      return 17;
    case grouped::nf4_id:
      return 18;
    case grouped::fp4_id:
      return 19;
    case 19:
      return 20;
    case 29:
      return 21;
    case 16:
      return 22;
    case 17:
      return 23;
    case 22:
      return 24;
    case 18:
      return 25;
    case 21:
      return 26;
    case 41:
      return 27;
    case 42:
      return 28;
    case grouped::int8_id:
    case grouped::fp8_id:
      return first_loose;
    case grouped::int8_zero_id:
      return first_loose + 1;
    default:
      return -1;
  }
}

bool in_codes(const Weight& w) { return w.format->codes && w.cols % 32 == 0 && w.rows * w.cols >= least_in_codes; }

Panels pack(const Weight& w, ThreadPool& pool) {
  Panels p{.form = panel_form(*w.format), .rows = w.rows, .cols = w.cols};
  assert(p.form >= 0 && w.cols % p.shape().block() == 0);
  static Slabs slabs;
  const std::shared_ptr<std::byte> piece = slabs.take(static_cast<size_t>(p.count() * p.panel_size()));
  auto* memory = reinterpret_cast<uint8_t*>(piece.get());
  p.bytes = memory, p.owner = piece;
  pool.parallel(p.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) pack_panel(w, i * panel_rows, w.rows, p, i, memory);
  });
  return p;
}

Panels pack_loose(const Weight& w, int64_t begin, int64_t end, std::unique_ptr<uint8_t[]>& memory, size_t& size) {
  const int form = first_loose + (w.format->group == 16 ? 2 : 0) + (w.format->has_minimum ? 1 : 0);
  Panels p{.form = form, .rows = end - begin, .cols = w.cols};
  assert(w.cols % 32 == 0);
  if (const auto needed = static_cast<size_t>(p.count() * p.panel_size()) + 63; size < needed)
    memory = std::make_unique_for_overwrite<uint8_t[]>(needed), size = needed;
  uint8_t* bytes = memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64) % 64;
  p.bytes = bytes;
  for (int64_t i = 0; i < p.count(); ++i) pack_panel(w, begin + i * panel_rows, end, p, i, bytes);
  return p;
}

const Panels& Packing::get(const Weight& w, ThreadPool& pool) {
  std::call_once(once_, [&] {
    panels_ = pack(w, pool);
    if (file_) file_->release({w.bytes, static_cast<size_t>(w.size())});
    file_.reset();
  });
  return panels_;
}

int Panels::code(int64_t row, int64_t column) const {
  const uint8_t* group = bytes + codes_at(row / panel_rows, column / 32);
  if (shape().book())
    return code_of_entry(shape(), group, static_cast<int>(row % panel_rows), static_cast<int>(column % 32));
  const int q = static_cast<int>(column % 32 / 4), v = q % 4, h = q / 4, bits = shape().bits;
  const auto byte = static_cast<int>(row % panel_rows * 4 + column % 4);
  if (bits == 8) return group[64 * q + byte];
  if (bits == 1) return (group[byte] >> q & 1) << 1;
  if (bits < 4) {
    const int low = group[64 * (bits - 2 + h) + byte] >> 2 * v & 3;
    return bits == 2 ? low : low | (group[byte] >> q & 1) << 2;
  }
  const int low = group[64 * (bits - 4 + v) + byte] >> 4 * h & 15;
  if (bits == 5) return low | (group[byte] >> q & 1) << 4;
  if (bits == 6) return low | (group[64 * h + byte] >> 2 * v & 3) << 4;
  return shape().levels == PanelLevels::none ? low : panel_levels(shape())[static_cast<size_t>(low)];
}

namespace {

// Value `which` (0: scale, 1: minimum) of a row and group.
float scale_at(const Panels& p, int64_t row, int64_t group, int which) {
  const PanelForm& f = p.shape();
  const int64_t per_block = f.block() / f.group, r = row % panel_rows;
  const uint8_t* block = p.bytes + p.scales_at(row / panel_rows, group * f.group / 32);
  if (f.zeros()) {
    const uint8_t* at = block + group % per_block * (f.rows_bytes() + panel_rows);
    const float scale = f.halves() ? half_field(at + 2 * r) : grouped::float_field(at + 4 * r);
    return which == 0 ? scale : scale * static_cast<float>(at[f.rows_bytes() + r]);
  }
  const int parts = f.minimum ? 2 : 1;
  const uint8_t* at = block + (group % per_block * parts + which) * f.rows_bytes();
  if (f.halves()) return half_field(at + 2 * r);
  if (f.scale == PanelScale::exponent) return small_floats::half_e8m0(at[r]);
  if (!f.shared()) return std::bit_cast<float>(field32(at + 4 * r));
  const float d = half_field(block + 2 * panel_rows * which + 2 * r);
  if (f.scale == PanelScale::block) return d;
  const uint8_t* bytes = block + 2 * panel_rows * parts;
  if (f.scale == PanelScale::odd) {
    const int64_t g = group % per_block;
    const int nibble = bytes[g / 2 * panel_rows + r] >> 4 * (g % 2) & 15;
    return d * static_cast<float>(2 * nibble + 1) / static_cast<float>(f.unit());
  }
  if (f.nibbles()) return d * static_cast<float>(bytes[group % per_block * panel_rows + r] >> 4 * which & 15);
  const uint8_t byte = bytes[(group % per_block * parts + which) * panel_rows + r];
  return d * static_cast<float>(f.scale == PanelScale::byte ? byte : static_cast<int8_t>(byte));
}

}  // namespace

float Panels::scale(int64_t row, int64_t group) const { return scale_at(*this, row, group, 0); }
float Panels::minimum(int64_t row, int64_t group) const { return shape().minimum ? scale_at(*this, row, group, 1) : 0; }

}  // namespace madang
