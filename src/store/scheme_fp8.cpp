// fp8 (e4m3) as DeepSeek-V3, Qwen and vLLM's tools write it:
//   weight            F8_E4M3 [out, in]
//   weight_scale_inv  F32 [ceil(out / 128), ceil(in / 128)]   weight = q * scale of its block (weight_block_size)
//   weight_scale      F32 [], [1]: of the whole matrix; [out], [out, 1]: of each row
// input_scale and its like are about activations and not read. Refused: e5m2.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "store/bounds.h"
#include "store/fp8.h"

namespace madang {
namespace {

struct Blocks {
  int64_t rows, cols;
  int64_t down(const StoredTensor& t) const { return (t.shape[0] + rows - 1) / rows; }
  int64_t across(const StoredTensor& t) const { return (t.shape[1] + cols - 1) / cols; }
};

StoredTensor make(const StoredTensor& weight, const StoredTensor& scale, Blocks blocks) {
  const int64_t across = blocks.across(weight);
  CodeRows rows(weight.shape[0], weight.shape[1], across);
  rows.kind = CodeKind::e4m3;
  rows.group = groups_in_order(rows.cols, blocks.cols);
  std::memcpy(rows.code.get(), weight.bytes.data(), weight.bytes.size());
  const std::vector<float> scales = floats_of(scale);
  for (int64_t r = 0; r < rows.rows; ++r) {
    const auto first = scales.begin() + r / blocks.rows * across;
    rows.scale.insert(rows.scale.end(), first, first + across);
  }
  return stored_rows(std::move(rows));
}

}  // namespace

Recipe fp8_recipe(const StoredTensor& weight, const StoredTensor& scale, int64_t block_rows, int64_t block_cols) {
  check_rank(weight, {DType::f8_e4m3}, 2);
  const int64_t rows = weight.shape[0], cols = weight.shape[1];
  Blocks blocks{block_rows, block_cols};
  const bool whole = block_rows < 1 || (rows <= block_rows && cols <= block_cols);
  if (whole && scale.numel() == 1)
    blocks = {rows, cols};
  else if (block_rows < 1)
    blocks = {1, cols};
  const int64_t down = blocks.down(weight), across = blocks.across(weight);
  const bool list = across == 1 && scale.numel() == down && scale.shape.size() < 2;  // [out] for [out, 1]
  check(scale, {DType::f32, DType::bf16, DType::f16}, list ? scale.shape : std::vector{down, across});
  Recipe recipe{.label = "FP8", .shape = weight.shape, .parts = {weight, scale}, .make = {}};
  recipe.make = [=] { return make(weight, scale, blocks); };
  return recipe;
}

void fp8(Parts& parts, const SchemeConfig& config) {
  static constexpr std::string_view forms[] = {"e4m3", "e4m3fn", "float8_e4m3fn"};
  config.one_of("fmt", "e4m3", forms);
  int64_t block_rows = 0, block_cols = 0;
  if (auto size = config.keys.find("weight_block_size"); size != config.keys.end() && !size->is_null()) {
    if (!size->is_array() || size->size() != 2)
      throw Error(Kind::format, say("the configuration's {} cannot be", "weight_block_size"))
          .at(config.where)
          .expected("[128, 128]");
    const Json sides = {{"rows", (*size)[0]}, {"columns", (*size)[1]}};
    const SchemeConfig each{sides, config.where + ": weight_block_size"};
    block_rows = std::max<int64_t>(1, each.integer("rows")), block_cols = std::max<int64_t>(1, each.integer("columns"));
  }
  for (std::string_view ending : {".weight_scale_inv", ".weight_scale"})
    for (const std::string& stem : parts.stems(ending)) {
      const std::string scale = stem + std::string(ending);
      parts.replace(stem + ".weight",
                    fp8_recipe(parts.need(stem + ".weight", scale), *parts.find(scale), block_rows, block_cols));
    }
  parts.forget(of_activations);
}

}  // namespace madang
