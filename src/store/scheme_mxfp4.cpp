// MXFP4 as gpt-oss ships it, experts only:
//   experts.gate_up_proj_blocks  U8 [experts, 2 * hidden, width / 32, 16]   low nibble first; rows of gate and up
//   experts.gate_up_proj_scales  U8 [experts, 2 * hidden, width / 32]       alternate; 2^(s - 127)
//   experts.down_proj_blocks, experts.down_proj_scales                      the same, without halves
// Each expert's matrices become tensors of their own: experts.0.gate_proj.weight, ...
#include <array>
#include <cstring>

#include "store/mx_rows.h"
#include "store/scheme.h"

namespace madang {

StoredTensor mx_rows(const uint8_t* codes, const uint8_t* scales, int64_t rows, int64_t cols, int64_t step) {
  StoredTensor t;
  t.format = format_by_name("MXFP4"), t.dtype = DType::u8, t.shape = {rows, cols};
  const int64_t blocks = cols / 32;
  const auto size = static_cast<size_t>(rows * t.format->row_bytes(cols));
  auto memory = std::make_shared_for_overwrite<uint8_t[]>(size);
  uint8_t* to = memory.get();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t b = 0; b < blocks; ++b, to += 17) {
      const int64_t at = r * step * blocks + b;
      const uint8_t* from = codes + at * 16;
      to[0] = scales[at];
      // Element 2 i lies in the low nibble of byte i; in a GGUF block it is a low one below 16, a high one from there.
      for (int i = 0; i < 8; ++i) {
        const uint8_t low = from[i], high = from[i + 8];
        to[1 + 2 * i] = static_cast<uint8_t>((low & 15) | (high & 15) << 4);
        to[2 + 2 * i] = static_cast<uint8_t>(low >> 4 | (high & 0xF0));
      }
    }
  t.bytes = {memory.get(), size}, t.owner = std::move(memory);
  return t;
}

namespace {

struct Stack {
  StoredTensor blocks, scales;
  int64_t experts() const { return blocks.shape[0]; }
  int64_t rows() const { return blocks.shape[1]; }
  int64_t cols() const { return blocks.shape[2] * 32; }
};

Stack stack_of(const Parts& parts, const std::string& stem) {
  Stack s{parts.need(stem + "_blocks", stem), parts.need(stem + "_scales", stem)};
  check_rank(s.blocks, {DType::u8}, 4);
  const auto& shape = s.blocks.shape;
  check(s.blocks, {DType::u8}, std::array<int64_t, 4>{shape[0], shape[1], shape[2], 16});
  check(s.scales, {DType::u8}, std::array{shape[0], shape[1], shape[2]});
  return s;
}

/// Rows first, first + step, ... of one expert.
Recipe recipe_of(const Stack& s, int64_t expert, int64_t first, int64_t step) {
  const int64_t rows = s.rows() / step, at = (expert * s.rows() + first) * s.cols() / 32;
  // What the file holds of it, for those who count bytes: the expert's part, halved where two share it.
  auto part = [&](StoredTensor t) {
    const size_t each = t.bytes.size() / static_cast<size_t>(s.experts() * step);
    t.bytes = t.bytes.subspan((static_cast<size_t>(expert * step + first)) * each, each);
    return t;
  };
  Recipe recipe{.label = "MXFP4", .shape = {rows, s.cols()}, .parts = {part(s.blocks), part(s.scales)}, .make = {}};
  recipe.make = [s, rows, at, step] {
    return mx_rows(s.blocks.bytes.data() + at * 16, s.scales.bytes.data() + at, rows, s.cols(), step);
  };
  return recipe;
}

}  // namespace

void mxfp4(Parts& parts, const SchemeConfig&) {
  for (const std::string& stem : parts.stems(".experts.gate_up_proj_blocks")) {
    const std::string experts = stem + ".experts.";
    const Stack both = stack_of(parts, experts + "gate_up_proj");
    if (both.rows() % 2 != 0)
      check(both.blocks, {DType::u8}, std::array{both.experts(), both.rows() + 1, both.cols() / 32, int64_t{16}});
    for (int64_t e = 0; e < both.experts(); ++e) {
      parts.replace(experts + std::to_string(e) + ".gate_proj.weight", recipe_of(both, e, 0, 2));
      parts.replace(experts + std::to_string(e) + ".up_proj.weight", recipe_of(both, e, 1, 2));
    }
  }
  for (const std::string& stem : parts.stems(".experts.down_proj_blocks")) {
    const std::string experts = stem + ".experts.";
    const Stack down = stack_of(parts, experts + "down_proj");
    for (int64_t e = 0; e < down.experts(); ++e)
      parts.replace(experts + std::to_string(e) + ".down_proj.weight", recipe_of(down, e, 0, 1));
  }
}

}  // namespace madang
