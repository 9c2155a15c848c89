// compressed-tensors (vLLM's llm-compressor), by `format`:
//   pack-quantized     weight_packed  I32 [out, ceil(in / n)], n = 32 / bits codes in a word, lowest first, plus
//                      2^(bits - 1); weight_shape I64 [2]; weight_zero_point packed so along the output
//   int-quantized      weight  I8 [out, in], weight_zero_point I8
//   float-quantized    weight  F8_E4M3 [out, in]
//   nvfp4-pack-quantized   weight_packed  U8 [out, in / 2], low nibble first, e2m1; weight_scale  F8_E4M3 [out, in /
//   16]
//                          divided by weight_global_scale  F32 [1]
//   mxfp4-pack-quantized   the same with weight_scale  U8 [out, in / 32], 2^(s - 127)
//   naive-quantized        int or float; dense: nothing is quantized; mixed-precision: any of them, matrix by matrix
// Integers and e4m3 have weight_scale [1], [out, 1] or [out, groups] (e4m3: also one for each block), and
// weight = (q - zero) * scale. weight_g_idx [in], where it is, names the group of each input; -1: there is none.
// Refused: sparse formats, Marlin's, rotated weights (transform_config).
#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "base/error.h"
#include "quant/grouped.h"
#include "store/bounds.h"
#include "store/fp8.h"
#include "store/mx_rows.h"

namespace madang {
namespace {

constexpr std::initializer_list<DType> scale_types = {DType::f32, DType::bf16, DType::f16};

int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Matrix {
  StoredTensor codes, scale;
  std::optional<StoredTensor> shape, zeros, groups;
  int bits = 8;
  bool packed = false;
  int64_t rows = 0, cols = 0, group_count = 1, group_size = 0;
};

// Code i of a line of packed words.
int packed_code(const uint8_t* words, int64_t i, int bits) {
  const int64_t each = 32 / bits;
  return static_cast<int>(stream_code(words + i / each * 4, i % each, bits, 1));
}

void read_zeros(const Matrix& m, CodeRows& rows) {
  if (!m.zeros) return;
  const int64_t each = 32 / m.bits;
  rows.zero.resize(rows.scale.size());
  for (int64_t r = 0; r < rows.rows; ++r)
    for (int64_t g = 0; g < rows.groups; ++g) {
      const auto at = static_cast<size_t>(r * rows.groups + g);
      if (m.packed) {
        const uint8_t* word = m.zeros->bytes.data() + (r / each * rows.groups + g) * 4;
        rows.zero[at] = static_cast<int16_t>(stream_code(word, r % each, m.bits, 1));
      } else {
        const size_t one = m.zeros->numel() == 1 ? 0 : at;
        rows.zero[at] = static_cast<int16_t>(static_cast<int8_t>(m.zeros->bytes[one]) + 128);
      }
    }
}

void read_groups(const Matrix& m, CodeRows& rows) {
  rows.group = groups_in_order(m.cols, m.group_size);
  if (!m.groups) return;
  const std::vector<int64_t> named = integers_of(*m.groups);
  if (std::ranges::all_of(named, [](int64_t g) { return g == -1; })) return;
  for (size_t c = 0; c < named.size(); ++c) {
    if (named[c] < 0 || named[c] >= m.group_count)
      throw Error(Kind::format, say("tensor {} names a group that is not there", shown(m.groups->name)))
          .expected(fmt::format("0 .. {}", m.group_count - 1))
          .found(std::to_string(named[c]));
    rows.group[c] = static_cast<int32_t>(named[c]);
  }
}

StoredTensor make(const Matrix& m) {
  CodeRows rows(m.rows, m.cols, m.group_count);
  rows.bits = m.bits;
  rows.scale = floats_of(m.scale);
  if (rows.scale.size() == 1) rows.scale.assign(static_cast<size_t>(m.rows), rows.scale[0]);
  read_groups(m, rows);
  read_zeros(m, rows);
  for (int64_t r = 0; r < m.rows; ++r) {
    uint8_t* to = rows.code.get() + r * m.cols;
    const uint8_t* from = m.codes.bytes.data() + r * (m.packed ? m.codes.shape[1] * 4 : m.cols);
    for (int64_t c = 0; c < m.cols; ++c)
      to[c] = static_cast<uint8_t>(m.packed ? packed_code(from, c, m.bits) : from[c] + 128);
  }
  return stored_rows(std::move(rows));
}

/// Numbers of bits and sizes of groups that the configuration names, and the sides of its blocks.
struct Schemes {
  std::set<int> bits;
  std::set<int64_t> sizes;
  int64_t block_rows = 0, block_cols = 0;
};

Schemes schemes_of(const SchemeConfig& config) {
  Schemes found;
  auto groups = config.keys.find("config_groups");
  if (groups == config.keys.end() || !groups->is_object()) return found;
  for (const auto& [name, group] : groups->items()) {
    if (!group.is_object() || !group.contains("weights") || !group["weights"].is_object()) continue;
    const SchemeConfig weights{group["weights"], fmt::format("{}: {}", config.where, shown(name))};
    found.bits.insert(static_cast<int>(std::clamp<int64_t>(weights.integer("num_bits", 8), 1, 32)));
    if (const int64_t size = weights.integer("group_size", -1); size > 0) found.sizes.insert(size);
    auto block = weights.keys.find("block_structure");
    if (block == weights.keys.end() || !block->is_array() || block->size() != 2) continue;
    const Json sides = {{"rows", (*block)[0]}, {"columns", (*block)[1]}};
    const SchemeConfig each{sides, weights.where + ": block_structure"};
    found.block_rows = std::max<int64_t>(1, each.integer("rows"));
    found.block_cols = std::max<int64_t>(1, each.integer("columns"));
  }
  return found;
}

/// [1], [], [out], [out, 1] or [out, groups] where groups divide the inputs.
void check_scale(Matrix& m, const Schemes& schemes) {
  const auto& shape = m.scale.shape;
  m.group_size = m.cols;
  if (m.scale.numel() == 1 || (shape.size() == 1 && shape[0] == m.rows)) return;
  m.group_count = shape.size() == 2 && shape[1] > 0 && shape[1] <= m.cols ? shape[1] : 1;
  check(m.scale, scale_types, std::array{m.rows, m.group_count});
  m.group_size = ceiling(m.cols, m.group_count);
  for (int64_t size : schemes.sizes)
    if (ceiling(m.cols, size) == m.group_count) m.group_size = size;
}

void check_zeros(const Matrix& m) {
  if (!m.zeros) return;
  if (m.packed)
    check(*m.zeros, {DType::i32}, std::array{ceiling(m.rows, 32 / m.bits), m.group_count});
  else if (m.zeros->numel() != m.scale.numel())
    check(*m.zeros, {DType::i8}, m.scale.shape);
  else
    check(*m.zeros, {DType::i8}, m.zeros->shape);
}

void read_parts(const Parts& parts, const std::string& stem, const Schemes& schemes, Matrix& m) {
  auto optional = [&](const char* ending) -> std::optional<StoredTensor> {
    const StoredTensor* t = parts.find(stem + ending);
    return t ? std::optional(*t) : std::nullopt;
  };
  m.scale = parts.need(stem + ".weight_scale", stem);
  m.zeros = optional(".weight_zero_point"), m.groups = optional(".weight_g_idx");
  check_scale(m, schemes);
  check_zeros(m);
  if (m.groups) check(*m.groups, {DType::i32, DType::i64}, std::array{m.cols});
}

Recipe recipe_of(Matrix&& m, std::string label) {
  Recipe recipe{.label = std::move(label), .shape = {m.rows, m.cols}, .parts = {m.codes, m.scale}, .make = {}};
  for (const auto* part : {&m.shape, &m.zeros, &m.groups})
    if (*part) recipe.parts.push_back(**part);
  recipe.make = [m = std::move(m)] { return make(m); };
  return recipe;
}

Recipe packed_integers(const Parts& parts, const std::string& stem, const Schemes& schemes) {
  Matrix m{.codes = parts.need(stem + ".weight_packed", stem), .scale = {}, .shape = {}, .zeros = {}, .groups = {}};
  m.packed = true;
  m.shape = parts.need(stem + ".weight_shape", stem);
  check(*m.shape, {DType::i64, DType::i32}, std::array<int64_t, 1>{2});
  check_rank(m.codes, {DType::i32}, 2);
  const std::vector<int64_t> shape = integers_of(*m.shape);
  m.rows = shape[0], m.cols = shape[1];
  m.bits = 0;
  for (int bits : schemes.bits)
    if (bits <= 8 && m.cols > 0 && m.cols <= m.codes.shape[1] * 32 && ceiling(m.cols, 32 / bits) == m.codes.shape[1])
      m.bits = bits;
  if (m.bits == 0 || m.codes.shape[0] != m.rows) {
    std::string known;
    for (int bits : schemes.bits) known += (known.empty() ? "" : " / ") + std::to_string(bits);
    throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(m.codes.name)))
        .expected(fmt::format("{} x {} codes of {} bits", m.rows, m.cols, known))
        .found(fmt::format("I32 {}", m.codes.shape_text()));
  }
  read_parts(parts, stem, schemes, m);
  return recipe_of(std::move(m), fmt::format("INT{}", m.bits));
}

Recipe plain_integers(const Parts& parts, const std::string& stem, const Schemes& schemes) {
  Matrix m{.codes = parts.need(stem + ".weight", stem), .scale = {}, .shape = {}, .zeros = {}, .groups = {}};
  check_rank(m.codes, {DType::i8}, 2);
  m.rows = m.codes.shape[0], m.cols = m.codes.shape[1];
  read_parts(parts, stem, schemes, m);
  return recipe_of(std::move(m), "INT8");
}

StoredTensor make_nvfp4(const StoredTensor& codes, const StoredTensor& scale, float whole) {
  CodeRows rows(codes.shape[0], codes.shape[1] * 2, scale.shape[1]);
  rows.kind = CodeKind::e2m1;
  rows.group = groups_in_order(rows.cols, 16);
  for (uint8_t s : scale.bytes) rows.scale.push_back(float_of_e4m3(s) / whole);
  for (size_t i = 0; i < codes.bytes.size(); ++i)
    rows.code[2 * i] = codes.bytes[i] & 15, rows.code[2 * i + 1] = codes.bytes[i] >> 4;
  return stored_rows(std::move(rows));
}

/// Four-bit floats, two in a byte: NVFP4 where there is a scale of the whole, else MXFP4.
Recipe packed_floats(const Parts& parts, const std::string& stem) {
  const StoredTensor codes = parts.need(stem + ".weight_packed", stem),
                     scale = parts.need(stem + ".weight_scale", stem);
  check_rank(codes, {DType::u8}, 2);
  const int64_t rows = codes.shape[0], cols = codes.shape[1] * 2;
  const StoredTensor* whole = parts.find(stem + ".weight_global_scale");
  if (!whole) {
    check(scale, {DType::u8}, std::array{rows, cols / 32});
    check(codes, {DType::u8}, std::array{rows, cols / 32 * 16});
    Recipe recipe{.label = "MXFP4", .shape = {rows, cols}, .parts = {codes, scale}, .make = {}};
    recipe.make = [=] { return mx_rows(codes.bytes.data(), scale.bytes.data(), rows, cols, 1); };
    return recipe;
  }
  check(scale, {DType::f8_e4m3}, std::array{rows, ceiling(cols, 16)});
  if (whole->numel() != 1) check(*whole, {DType::f32}, std::array<int64_t, 1>{1});
  const float divisor = floats_of(*whole)[0];
  Recipe recipe{.label = "NVFP4", .shape = {rows, cols}, .parts = {codes, scale, *whole}, .make = {}};
  recipe.make = [=] { return make_nvfp4(codes, scale, divisor); };
  return recipe;
}

void refuse_transforms(const SchemeConfig& config) {
  auto transform = config.keys.find("transform_config");
  if (transform == config.keys.end() || transform->empty()) return;
  throw Error(Kind::unsupported, say("the checkpoint is quantized in a way that madang does not know"))
      .at(config.where + ": quantization_config.transform_config")
      .expected("{}");
}

}  // namespace

void compressed_tensors(Parts& parts, const SchemeConfig& config) {
  static constexpr std::string_view forms[] = {
      "pack-quantized",       "int-quantized",   "float-quantized", "nvfp4-pack-quantized",
      "mxfp4-pack-quantized", "naive-quantized", "mixed-precision", "dense"};
  static constexpr std::string_view sparse_forms[] = {"dense"};
  config.one_of("format", "dense", forms);
  refuse_transforms(config);
  if (auto sparse = config.keys.find("sparsity_config"); sparse != config.keys.end() && sparse->is_object())
    SchemeConfig{*sparse, config.where + ": sparsity_config"}.one_of("format", "dense", sparse_forms);
  const Schemes schemes = schemes_of(config);
  for (const std::string& stem : parts.stems(".weight_packed")) {
    const bool words = parts.find(stem + ".weight_packed")->dtype == DType::i32;
    parts.replace(stem + ".weight", words ? packed_integers(parts, stem, schemes) : packed_floats(parts, stem));
  }
  for (const std::string& stem : parts.stems(".weight_scale")) {
    const StoredTensor& weight = parts.need(stem + ".weight", stem + ".weight_scale");
    parts.replace(stem + ".weight", weight.dtype == DType::i8 ? plain_integers(parts, stem, schemes)
                                                              : fp8_recipe(weight, *parts.find(stem + ".weight_scale"),
                                                                           schemes.block_rows, schemes.block_cols));
  }
  parts.forget(of_activations);
}

}  // namespace madang
