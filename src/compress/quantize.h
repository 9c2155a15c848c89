// A model file with smaller weights: every matrix read, written again in the format that the recipe chooses for it, and
// the rest carried over as it is. Streams: memory is bounded by the largest tensor of the source, or a few million
// weights of a mapped one. The output is the same bytes for any number of threads.
// Refused: weights that are in fewer than eight bits already (their loss would add up) unless allowed, formats below
// three bits without an importance matrix unless allowed, an importance matrix of another model.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "compress/importance.h"
#include "compress/recipe.h"
#include "store/gguf_draft.h"

namespace madang {

struct QuantizeOptions {
  const QuantizeRecipe* recipe = nullptr;
  bool pure = false;                       ///< every matrix in the base format
  const Importance* importance = nullptr;  ///< null: none
  std::string importance_name;             ///< noted in the file
  /// Pattern and format, the first that matches a tensor's name decides. `*` stands for any letters.
  std::vector<std::pair<std::string, const Format*>> overrides;
  bool requantize = false;          ///< take quantized weights too
  bool without_importance = false;  ///< write formats that want an importance matrix without one
};

struct PlannedTensor {
  const DraftTensor* tensor = nullptr;
  const Format* format = nullptr;  ///< what it becomes
  bool important = false;          ///< its columns' importance is known
  int64_t bytes = 0;               ///< then
  /// sqrt(sum of squared errors / sum of squares), of quantized tensors, once written.
  double relative_error = 0;

  bool changes() const { return format != tensor->from; }
};

struct QuantizePlan {
  std::shared_ptr<const GgufDraft> draft;
  QuantizeOptions options;
  std::vector<PlannedTensor> tensors;  ///< in the file's order

  int64_t bytes() const;
  double bits_per_weight() const;  ///< over all tensors
};

/// What would be written; a dry run ends here. Throws Error.
QuantizePlan plan_quantize(GgufDraft draft, const QuantizeOptions& options);
/// The draft as it is, without a recipe.
QuantizePlan plan_as_drafted(GgufDraft draft);

/// Writes it, and with a recipe fills in the plan's errors. `what`: for people, while it lasts.
void quantize(QuantizePlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress = {},
              const Text& what = say("quantizing"));

/// Whether `name` matches a pattern in which `*` stands for any letters and the rest for itself; a pattern without `*`
/// matches anywhere in the name.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace madang
