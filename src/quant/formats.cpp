// Every block format, one row each. Layouts are in the header of each family.
#include <algorithm>
#include <cctype>

#include "quant/format.h"
#include "quant/grouped.h"
#include "quant/k_quants.h"
#include "quant/lattice.h"
#include "quant/legacy.h"
#include "quant/small_floats.h"

namespace madang {
namespace {

constexpr int largest_block = 256, most_groups = 16;

using Codes = void (*)(const uint8_t*, int8_t*, float*, float*);

// value = scale * code - minimum, for formats that have codes.
template <Codes codes, int block, int bytes, int group, bool has_minimum>
void decode(const uint8_t* p, int64_t n, float* values) {
  static_assert(block <= largest_block && block / group <= most_groups);
  int8_t code[block];
  float scale[block / group], minimum[block / group];
  for (int64_t at = 0; at < n; at += block, p += bytes) {
    codes(p, code, scale, minimum);
    for (int i = 0; i < block; ++i) {
      const float product = scale[i / group] * static_cast<float>(code[i]);
      values[at + i] = has_minimum ? product - minimum[i / group] : product;
    }
  }
}

template <Codes codes, int block, int bytes, int group, bool has_minimum = false>
constexpr Format row(std::string_view name, int type) {
  return {name, type, block, bytes, group, has_minimum, codes, decode<codes, block, bytes, group, has_minimum>};
}

// Formats of memory only (grouped.h), whose exact values have a reader of their own.
template <auto read>
void decode_grouped(const uint8_t* p, int64_t n, float* values, int bytes) {
  for (int64_t at = 0; at < n; at += grouped::block, p += bytes) read(p, values + at);
}

template <Codes codes, auto read, int bytes, int group = 32, bool has_minimum = false>
constexpr Format grouped_row(std::string_view name, int id) {
  return {
      name,           id,
      grouped::block, bytes,
      group,          has_minimum,
      codes,          [](const uint8_t* p, int64_t n, float* values) { decode_grouped<read>(p, n, values, bytes); }};
}

template <auto widen>
void decode_halves(const uint8_t* p, int64_t n, float* values) {
  for (int64_t i = 0; i < n; ++i) values[i] = widen(field16(p + 2 * i));
}

void copy_floats(const uint8_t* p, int64_t n, float* values) { std::memcpy(values, p, static_cast<size_t>(n) * 4); }

constexpr Format table[] = {
    {"F32", 0, 1, 4, 0, false, nullptr, copy_floats},
    {"F16", 1, 1, 2, 0, false, nullptr, decode_halves<float_of_half>},
    {"BF16", 30, 1, 2, 0, false, nullptr, decode_halves<float_of_bf16>},
    // weights in a block, bytes, weights that share a scale, minimum
    row<legacy::q4_0, 32, 18, 32>("Q4_0", 2),
    row<legacy::q4_1, 32, 20, 32, true>("Q4_1", 3),
    row<legacy::q5_0, 32, 22, 32>("Q5_0", 6),
    row<legacy::q5_1, 32, 24, 32, true>("Q5_1", 7),
    row<legacy::q8_0, 32, 34, 32>("Q8_0", 8),
    row<k_quants::q2_k, 256, 84, 16, true>("Q2_K", 10),
    row<k_quants::q3_k, 256, 110, 16>("Q3_K", 11),
    row<k_quants::q4_k, 256, 144, 32, true>("Q4_K", 12),
    row<k_quants::q5_k, 256, 176, 32, true>("Q5_K", 13),
    row<k_quants::q6_k, 256, 210, 16>("Q6_K", 14),
    row<lattice::codes<lattice::iq2_xxs, iq2_xxs_grid, 32, 8>, 256, 66, 32>("IQ2_XXS", 16),
    row<lattice::codes<lattice::iq2_xs, iq2_xs_grid, 16, 8>, 256, 74, 16>("IQ2_XS", 17),
    row<lattice::codes<lattice::iq3_xxs, iq3_xxs_grid, 32, 4>, 256, 98, 32>("IQ3_XXS", 18),
    row<lattice::codes<lattice::iq1_s, iq1_grid, 32, 8>, 256, 50, 32>("IQ1_S", 19),
    row<lattice::iq4_nl, 32, 18, 32>("IQ4_NL", 20),
    row<lattice::codes<lattice::iq3_s, iq3_s_grid, 32, 1>, 256, 110, 32>("IQ3_S", 21),
    row<lattice::codes<lattice::iq2_s, iq2_s_grid, 16, 8>, 256, 82, 16>("IQ2_S", 22),
    row<lattice::iq4_xs, 256, 136, 32>("IQ4_XS", 23),
    row<lattice::codes<lattice::iq1_m, iq1_grid, 16, 8>, 256, 56, 16>("IQ1_M", 29),
    row<small_floats::tq1_0, 256, 54, 32>("TQ1_0", 34),
    row<small_floats::tq2_0, 256, 66, 32>("TQ2_0", 35),
    row<small_floats::mxfp4, 32, 17, 32>("MXFP4", 39),
    row<small_floats::nvfp4, 64, 36, 16>("NVFP4", 40),
    row<legacy::q1_0, 128, 18, 32>("Q1_0", 41),
    row<legacy::q2_0, 64, 18, 32>("Q2_0", 42),
    // bytes, weights that share a scale, minimum
    grouped_row<grouped::int4<true>, grouped::decode_int4<true>, 19, 32, true>("INT4_F16", grouped::int4_f16_id),
    grouped_row<grouped::int4<false>, grouped::decode_int4<false>, 21, 32, true>("INT4", grouped::int4_id),
    grouped_row<grouped::int8, grouped::decode_int8, 36>("INT8", grouped::int8_id),
    grouped_row<grouped::int8_zero, grouped::decode_int8_zero, 38, 32, true>("INT8_ZERO", grouped::int8_zero_id),
    grouped_row<grouped::level4<grouped::nf4_codes, grouped::nf4_steps>, grouped::decode_level4<grouped::nf4_levels>,
                20>("NF4", grouped::nf4_id),
    grouped_row<grouped::level4<grouped::fp4_codes, grouped::fp4_steps>, grouped::decode_level4<grouped::fp4_levels>,
                20>("FP4", grouped::fp4_id),
    grouped_row<grouped::fp8, grouped::decode_fp8, 36>("FP8_E4M3", grouped::fp8_id),
    grouped_row<grouped::fp4_e2m1, grouped::decode_fp4_e2m1, 24, 16>("FP4_E2M1", grouped::fp4_e2m1_id),
};

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

}  // namespace

const Format& f32_format = table[0];
const Format& f16_format = table[1];
const Format& bf16_format = table[2];

std::span<const Format> formats() { return table; }

const Format* format_by_gguf_type(int64_t type) {
  auto found = std::ranges::find(table, type, &Format::gguf_type);
  return found == std::end(table) ? nullptr : found;
}

const Format* format_by_name(std::string_view name) {
  auto found = std::ranges::find_if(table, [&](const Format& f) { return same_letters(f.name, name); });
  return found == std::end(table) ? nullptr : found;
}

}  // namespace madang
