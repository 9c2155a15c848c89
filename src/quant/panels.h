// A weight in the order the integer kernels stream it. Sixteen rows stand side by side and make a panel: a vector of 64
// bytes holds four consecutive codes of each of the sixteen (a quad), so one multiply-add instruction feeds sixteen
// results and no sum ever runs across lanes. Codes are unsigned, code + offset, and stay as narrow as in the file:
//
//   a group of 32 weights, quads 0..7 of 16 rows; byte 4 r + j of a vector is code 4 q + j of row r
//     bits 1   1 vector: bit q is bit 1 of quad q, whose bit 0 is not set
//     bits 2   2 vectors: bits 2v, 2v + 1 of vector h are quad 4 h + v
//     bits 3   1 vector: bit q is bit 2 of quad q; then as 2 bits
//     bits 4   4 vectors: quad v in the low nibbles of vector v, quad v + 4 in the high ones
//     bits 5   1 vector: bit q is bit 4 of quad q; then as 4 bits
//     bits 6   2 vectors: bits 2v, 2v + 1 of vector h are bits 4, 5 of quad 4 h + v; then as 4 bits
//     bits 8   8 vectors
//
// Where a format has levels, a code is a level plus the offset, and what is kept is which. Where it has a code book
// (quant/grids.h) whose entries stand for n codes, eight or four, what is kept of a group is:
//
//     the low bytes of the numbers of entries, first entry 0 of all rows, then entry 1, ...: number 16 e + place
//     their other bits, b of each in N bytes: those of number i are bits b (i / N) and up of byte i % N
//     unless it is IQ1: a bit for each code, set if it is negative. Of entries of eight a byte at 16 e + place, of
//     entries of four half a byte each, low half first
//
// A row's place is itself. Entries of eight codes are two quads, which have to be parted: there it is book_place(), by
// which sixteen bytes of the first eight places and sixteen of the last, their even fours taken and then their odd
// ones, are a quad of four rows in order and the next.
//
// A panel is read from its first byte to its last: what fetches ahead by itself follows one such stream, and not two,
// nor one that jumps further than a few cache lines. So it is a row of spans, each its scales and then its codes, a
// group at a time. A span is one block of 256 weights, or as few groups of 32 as have scales that fill whole cache
// lines; its scales are rounded up to such, those of code books, which are read a few bytes at a time, to half of one.
// Scales of a block:
//
//   scale of 16 rows, minimum of 16 rows (if any)        half: float16; single: float32
//   scale of 16 rows, 16 bytes: minimum = scale * byte   half_zero, single_zero
//   exponent of 16 rows, a byte: scale = 2^(e - 128)     exponent
//   d of 16 rows, dmin of 16 rows (float16), then for each group the bytes of 16 rows, minimums after scales
//                                                        byte, signed_byte: scale = d * byte, minimum = dmin * byte
//   the same, both in one byte                           nibbles: of the scale the low one, of the minimum the high one
//   d of 16 rows, then for two scales at a time the bytes of 16 rows, the first scale in the low nibble
//                                                        odd: scale = d (2 nibble + 1) / unit
//   d of 16 rows, for all groups of the block            block
//
// A panel takes at most three percent more than the blocks of the formats named below; Q3_K takes six (scales of 8
// bits, not 6), IQ1 to IQ3 up to eight (a sign or a delta for each code or entry, where files keep fewer), NVFP4 and
// Q2_0 an eighth and Q1_0 a third (scales of 16 bits for each 32 weights), TQ1_0 a quarter (its digits grow to two bits
// each). Rows past the last are zero.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "base/mapped_file.h"
#include "quant/format.h"

namespace madang {

struct Weight;
class ThreadPool;

inline constexpr int panel_rows = 16;

/// What bits stand for: themselves, one of sixteen levels, or an entry of a code book.
enum class PanelLevels : uint8_t { none, iq4, e2m1, nf4, fp4, iq1, iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s };

/// How scales are kept.
enum class PanelScale : uint8_t {
  half,
  byte,
  signed_byte,
  single,
  half_zero,
  single_zero,
  exponent,
  nibbles,
  block,
  odd
};

/// Where a row's entries of eight codes stand among the sixteen rows'.
constexpr int book_place(int row) { return row % 4 / 2 * 8 + row / 4 * 2 + row % 2; }

struct PanelForm {
  int bits;  ///< of a code, or of the number of an entry
  int group, offset;
  PanelScale scale;
  bool minimum;
  PanelLevels levels = PanelLevels::none;

  /// Bits of a code as it is multiplied.
  constexpr int width() const {
    if (levels == PanelLevels::none) return bits == 1 ? 2 : bits;
    if (levels == PanelLevels::e2m1 || levels == PanelLevels::iq1 || levels == PanelLevels::iq3_s) return 5;
    return book() ? 7 : 8;
  }
  constexpr bool book() const { return levels >= PanelLevels::iq1; }
  constexpr int entry() const { return levels >= PanelLevels::iq3_xxs ? 4 : 8; }  ///< codes of an entry
  constexpr int entries() const { return 32 / entry(); }                          ///< of a group of 32
  constexpr bool signs() const { return levels > PanelLevels::iq1; }              ///< apart from the entries
  constexpr int unit() const { return levels == PanelLevels::iq3_s ? 1 : levels == PanelLevels::iq3_xxs ? 4 : 8; }
  constexpr int64_t low_bytes() const { return panel_rows * entries(); }  ///< of the numbers of entries
  constexpr int64_t high_bytes() const { return low_bytes() * (bits - 8) / 8; }
  constexpr int64_t code_bytes() const {  ///< of a group of 32
    if (book()) return low_bytes() + high_bytes() + (signs() ? panel_rows * 32 / 8 : 0);
    return panel_rows * 32 / 8 * bits;
  }
  /// Whether scales of 256 weights lie together, below a d of their own.
  constexpr bool shared() const {
    return scale == PanelScale::byte || scale == PanelScale::signed_byte || scale == PanelScale::nibbles ||
           scale == PanelScale::block || scale == PanelScale::odd;
  }
  constexpr int64_t block() const { return shared() ? 256 : 32; }  ///< weights whose scales lie together
  constexpr bool halves() const { return scale == PanelScale::half || scale == PanelScale::half_zero; }
  constexpr bool zeros() const { return scale == PanelScale::half_zero || scale == PanelScale::single_zero; }
  constexpr bool nibbles() const { return scale == PanelScale::nibbles; }
  /// Of one group, besides d; of scale or minimum.
  constexpr int64_t rows_bytes() const {
    if (scale == PanelScale::block) return 0;
    if (scale == PanelScale::odd) return panel_rows / 2;
    return panel_rows * (halves() ? 2 : shared() || scale == PanelScale::exponent ? 1 : 4);
  }
  constexpr int64_t scale_bytes() const {  ///< of a block
    const int64_t groups = block() / group, parts = minimum ? 2 : 1;
    if (zeros()) return groups * (rows_bytes() + panel_rows);
    return (shared() ? 2 * panel_rows * parts : 0) + groups * rows_bytes() * (nibbles() ? 1 : parts);
  }
  constexpr int64_t span() const {  ///< groups of 32 in a span; the last span of a panel may have fewer
    const int64_t power_of_two = scale_bytes() & -scale_bytes();
    return shared() ? 8 : std::max<int64_t>(1, 64 / power_of_two);
  }
  constexpr int64_t span_scales(int64_t groups) const {
    const int64_t bytes = groups * 32 / block() * scale_bytes(), unit = book() ? 32 : 64;
    return (bytes + unit - 1) / unit * unit;
  }
  constexpr int64_t span_bytes(int64_t groups) const { return span_scales(groups) + groups * code_bytes(); }
  constexpr bool operator==(const PanelForm&) const = default;
};

/// All forms. The last four hold whatever has codes: kept for formats that have no narrower one, else made for a
/// moment.
inline constexpr PanelForm panel_forms[] = {
    {4, 32, 8, PanelScale::half, false},                             // Q4_0
    {4, 32, 0, PanelScale::half, true},                              // Q4_1
    {5, 32, 16, PanelScale::half, false},                            // Q5_0
    {5, 32, 0, PanelScale::half, true},                              // Q5_1
    {8, 32, 128, PanelScale::half, false},                           // Q8_0
    {4, 32, 0, PanelScale::byte, true},                              // Q4_K
    {5, 32, 0, PanelScale::byte, true},                              // Q5_K
    {6, 16, 32, PanelScale::signed_byte, false},                     // Q6_K
    {3, 16, 4, PanelScale::signed_byte, false},                      // Q3_K
    {4, 32, 128, PanelScale::half, false, PanelLevels::iq4},         // IQ4_NL
    {4, 32, 128, PanelScale::signed_byte, false, PanelLevels::iq4},  // IQ4_XS
    {4, 32, 0, PanelScale::half_zero, true},                         // INT4_F16
    {4, 32, 0, PanelScale::single_zero, true},                       // INT4
    {2, 16, 0, PanelScale::nibbles, true},                           // Q2_K
    {2, 32, 1, PanelScale::block, false},                            // TQ2_0, TQ1_0
    {4, 32, 16, PanelScale::exponent, false, PanelLevels::e2m1},     // MXFP4
    {4, 16, 16, PanelScale::half, false, PanelLevels::e2m1},         // NVFP4
    {4, 16, 16, PanelScale::single, false, PanelLevels::e2m1},       // FP4_E2M1
    {4, 32, 128, PanelScale::single, false, PanelLevels::nf4},       // NF4
    {4, 32, 128, PanelScale::single, false, PanelLevels::fp4},       // FP4
    {12, 32, 16, PanelScale::odd, false, PanelLevels::iq1},          // IQ1_S
    {12, 16, 16, PanelScale::odd, false, PanelLevels::iq1},          // IQ1_M
    {8, 32, 64, PanelScale::odd, false, PanelLevels::iq2_xxs},       // IQ2_XXS
    {9, 16, 64, PanelScale::odd, false, PanelLevels::iq2_xs},        // IQ2_XS
    {10, 16, 64, PanelScale::odd, false, PanelLevels::iq2_s},        // IQ2_S
    {8, 32, 64, PanelScale::odd, false, PanelLevels::iq3_xxs},       // IQ3_XXS
    {9, 32, 16, PanelScale::odd, false, PanelLevels::iq3_s},         // IQ3_S
    {1, 32, 1, PanelScale::half, false},                             // Q1_0
    {2, 32, 1, PanelScale::half, false},                             // Q2_0
    {8, 32, 128, PanelScale::single, false},
    {8, 32, 128, PanelScale::single, true},
    {8, 16, 128, PanelScale::single, false},
    {8, 16, 128, PanelScale::single, true},
};
inline constexpr int panel_form_count = sizeof panel_forms / sizeof *panel_forms;

/// The form that keeps a format's codes as narrow as they are; -1 for plain floats.
int panel_form(const Format& format);

struct Panels {
  int form = 0;
  int64_t rows = 0, cols = 0;  ///< cols a multiple of 32, and of the form's block
  const uint8_t* bytes = nullptr;
  std::shared_ptr<const void> owner;

  const PanelForm& shape() const { return panel_forms[form]; }
  int64_t count() const { return (rows + panel_rows - 1) / panel_rows; }
  int64_t groups() const { return cols / 32; }
  int64_t panel_size() const {  ///< a whole number of cache lines
    const int64_t span = shape().span(), rest = groups() % span;
    const int64_t filled = groups() / span * shape().span_bytes(span) + (rest ? shape().span_bytes(rest) : 0);
    return (filled + 63) / 64 * 64;
  }
  // Where a group's codes lie in `bytes`, and the scales of its block.
  int64_t codes_at(int64_t panel, int64_t group) const {
    const int64_t in_span = group % shape().span(),
                  groups_in_span = std::min(shape().span(), groups() - group + in_span);
    return span_at(panel, group) + shape().span_scales(groups_in_span) + in_span * shape().code_bytes();
  }
  int64_t scales_at(int64_t panel, int64_t group) const {
    const int64_t blocks = group % shape().span() * 32 / shape().block();
    return span_at(panel, group) + blocks * shape().scale_bytes();
  }
  int64_t span_at(int64_t panel, int64_t group) const {
    const int64_t span = shape().span();
    return panel * panel_size() + group / span * shape().span_bytes(span);
  }

  // One weight's parts, as plain loops read them: the meaning of the layout.
  int code(int64_t row, int64_t column) const;  ///< without the offset taken away
  float scale(int64_t row, int64_t group) const;
  float minimum(int64_t row, int64_t group) const;  ///< 0 for forms without
};

/// A matrix of fewer numbers is multiplied in floats in fast mode too: that costs 1 to 2 us a token more than in
/// integers (5 with a code book), about what the threads take to meet, and what integers round away (half a percent of
/// a product) weighs most where all matrices are so small, in routers and toy models.
constexpr int64_t least_in_codes = 32 * 1024;
/// Whether fast mode multiplies with the codes of w, in integers.
bool in_codes(const Weight& w);

/// Packs w, all panels, on all threads. w.format must have a form and w.cols be a multiple of 32.
Panels pack(const Weight& w, ThreadPool& pool);
/// Packs rows [begin, end) of a weight whose format has codes, codes as bytes and scales as float32, into `memory`,
/// which grows as needed and keeps the bytes.
Panels pack_loose(const Weight& w, int64_t begin, int64_t end, std::unique_ptr<uint8_t[]>& memory, size_t& size);

/// The packed form that all copies of one weight share, made once when it is first asked for; the mapped pages it was
/// made from are then given back.
class Packing {
 public:
  explicit Packing(std::shared_ptr<const MappedFile> file = nullptr) : file_(std::move(file)) {}
  const Panels& get(const Weight& w, ThreadPool& pool);

  /// Said by layers that multiply with the weight and do not only look rows up: it is worth packing ahead.
  void want() { wanted_ = true; }
  bool wanted() const { return wanted_; }

 private:
  bool wanted_ = false;
  std::once_flag once_;
  std::shared_ptr<const MappedFile> file_;
  Panels panels_;
};

}  // namespace madang
