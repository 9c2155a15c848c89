// A model file with smaller weights: every matrix read, written again in the format that the recipe chooses for it, and
// the rest carried over as it is. Streams: memory is bounded by a few million weights. The output is the same bytes for
// any number of threads.
// Refused: sources that are not GGUF, weights that are quantized already (their loss would add up) unless allowed,
// formats below three bits without an importance matrix unless allowed.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "compress/importance.h"
#include "compress/recipe.h"
#include "store/gguf.h"

namespace madang {

struct QuantizeOptions {
  const Recipe* recipe = nullptr;
  bool pure = false;                       ///< every matrix in the base format
  const Importance* importance = nullptr;  ///< null: none
  std::string importance_name;             ///< noted in the file
  /// Pattern and format, the first that matches a tensor's name decides. `*` stands for any letters.
  std::vector<std::pair<std::string, const Format*>> overrides;
  bool requantize = false;          ///< take quantized weights too
  bool without_importance = false;  ///< write formats that want an importance matrix without one
};

struct PlannedTensor {
  const StoredTensor* tensor = nullptr;
  const Format* format = nullptr;  ///< what it becomes; its own: copied as it is
  bool important = false;          ///< its columns' importance is known
  int64_t bytes = 0;               ///< then
  /// sqrt(sum of squared errors / sum of squares), of quantized tensors, once written.
  double relative_error = 0;
};

struct QuantizePlan {
  std::shared_ptr<const Source> source;
  const Gguf* gguf = nullptr;
  QuantizeOptions options;
  std::vector<PlannedTensor> tensors;  ///< in the file's order

  int64_t bytes() const;
  double bits_per_weight() const;  ///< over all tensors
};

/// What would be written; a dry run ends here. Throws Error.
QuantizePlan plan_quantize(std::shared_ptr<const Source> source, const QuantizeOptions& options);

/// Writes it, and fills in the plan's errors.
void quantize(QuantizePlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress = {});

/// Whether `name` matches a pattern in which `*` stands for any letters and the rest for itself; a pattern without `*`
/// matches anywhere in the name.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace madang
