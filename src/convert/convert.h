// One model from one kind of file to another: weights, configuration, tokenizer, chat template and generation defaults.
// Reads whatever madang reads; writes a GGUF file, or a folder as Hugging Face repositories are. Streams: memory is
// bounded by the largest tensor. Nothing half written stays.
// Refused: what the other kind of file cannot say.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "base/thread_pool.h"
#include "engine/checkpoint.h"
#include "store/placement.h"

namespace madang {

struct ConvertOptions {
  const Format* type = nullptr;  ///< of matrices: F32, F16, BF16 or Q8_0 (GGUF only); null: their own where it can be
  bool tokenizer = true;
  /// Layers [begin, end) twice, one behind the other: depth up-scaling (SOLAR 10.7B, Kim et al. 2023, section 2).
  std::optional<std::pair<int64_t, int64_t>> repeat;
};

struct ConvertedTensor {
  Placement placement;
  const Format* from = nullptr;
  const Format* format = nullptr;
  int64_t bytes = 0;  ///< then
};

struct ConvertPlan {
  std::shared_ptr<const Checkpoint> checkpoint;
  Config config;  ///< with what only the source's tensors say: tied heads, stretched frequencies
  std::shared_ptr<WeightStore> store;
  GetWeight weights;  ///< of the model that is written, by the names of its layers
  Layout layout = Layout::hugging_face;
  ConvertOptions options;
  std::vector<ConvertedTensor> tensors;
  int64_t bytes() const;
  /// A folder's tensors of four bytes before those of two, so that all of its file are aligned. After formats change.
  void arrange();
};

/// `path`: a GGUF file if it ends with .gguf, a folder otherwise. The checkpoint may be opened without its weights.
ConvertPlan plan_convert(std::shared_ptr<const Checkpoint> checkpoint, const std::string& path,
                         const ConvertOptions& options);

void convert(const ConvertPlan& plan, const std::string& path, ThreadPool& pool, const OnProgress& progress = {});

}  // namespace madang
