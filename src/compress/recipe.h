// Which tensor of a model gets which block format. A recipe is a name that people know ("Q4_K_M"): a base format, and
// more bits for the tensors where they pay most: the output head, values, the second feed-forward matrix of the first
// and last layers. The choices are those of llama.cpp's tool of October 2026 (src/llama-quant.cpp), so that a file of
// a name is about as large and as good wherever it was made.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/language.h"
#include "quant/format.h"
#include "store/gguf_draft.h"

namespace madang {

struct QuantizeRecipe {
  std::string_view name;  ///< "Q4_K_M"
  std::string_view base;  ///< the format of most matrices
  int file_type;          ///< general.file_type of GGUF
  Text note;              ///< for people
};
std::span<const QuantizeRecipe> recipes();
/// Throws Kind::usage with the nearest known one.
const QuantizeRecipe& recipe_by_name(std::string_view name);

/// What the rules look at beside the tensor itself.
struct ModelFacts {
  std::string architecture;
  int64_t layers = 0, experts = 0, queries_per_key = 1;
  bool tied = false;        ///< no output head of its own
  bool importance = false;  ///< an importance matrix is there
};
ModelFacts facts_of(const GgufDraft& model);

/// Whether a tensor is a matrix worth writing in blocks: no norms, no biases, no routers, no convolutions.
bool is_quantized(const DraftTensor& tensor);
/// The format for one such tensor; where its rows are no whole number of blocks, the next best that fits.
const Format& choose_format(const QuantizeRecipe& recipe, const ModelFacts& facts, const DraftTensor& tensor);
/// `wanted` if rows of `cols` are a whole number of its blocks, else the next best that fits, F16 at last.
const Format& fitting_format(const Format& wanted, int64_t cols);

}  // namespace madang
