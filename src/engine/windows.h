// A text cut into windows that do not overlap, each going through a model a few rows of logits at a time: what
// perplexity and divergence have in common.
#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "engine/workplace.h"
#include "models/model.h"

namespace madang {

/// Rows of logits at a time where all rows are wanted: 32 rows of the largest vocabularies (262,144) are 32 MiB.
constexpr int64_t logit_rows = 32;

/// One window; its last token is only ever a target.
class WindowRun {
 public:
  WindowRun(const Model& model, Workplace& work, KvType kv, std::span<const int32_t> window);
  /// The logits of the next positions, [n, V], n > 0; no rows once all targets were foreseen. Valid until the next
  /// call. Throws Kind::format where one is no number.
  Tensor next();
  /// The token that row i of the last logits should have foreseen.
  int32_t target(int64_t i) const { return window_[begin_ + static_cast<size_t>(i) + 1]; }

 private:
  const Model& model_;
  Workplace& work_;
  std::span<const int32_t> window_;
  std::vector<StateSpec> specs_;
  SequenceState state_;
  size_t begin_ = 0, end_ = 0;
};

/// Calls `each` with the windows of `ids`, the first token of each replaced by `bos` if there is one; the last, shorter
/// piece counts only if it is the only one. Returns their number. Throws Kind::usage for a window or a text of fewer
/// than two tokens, Kind::mismatch for an id outside the vocabulary, Kind::refused if `progress` says so.
int64_t each_window(std::span<const int32_t> ids, int64_t window, std::optional<int32_t> bos, int64_t vocabulary,
                    const OnProgress& progress, const std::function<void(std::span<const int32_t>)>& each);

/// Throws Kind::mismatch for the first id outside the vocabulary.
void check_ids(std::span<const int32_t> ids, int64_t vocabulary);

/// Mean and its standard error, the values taken as independent.
struct Mean {
  double value = 0, error = 0;
};
Mean mean_of(std::span<const double> values);

}  // namespace madang
