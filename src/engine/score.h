// What a model says about given tokens, without sampling: all logits, greedy continuations, perplexity.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "engine/workplace.h"
#include "models/model.h"

namespace madang {

struct LogitsOptions {
  WorkOptions work;
  KvType kv = KvType::f32;
  int64_t chunk = 64;   ///< tokens a forward; the results do not depend on it
  int64_t greedy = 0;   ///< so many more ids, each fed back through the cache
  OnProgress progress;  ///< tokens; returning false throws Kind::refused
};

struct Logits {
  int64_t tokens = 0, vocabulary = 0;
  std::vector<float> values;    ///< [tokens, vocabulary]
  std::vector<int32_t> greedy;  ///< [greedy]
};

/// Throws Kind::mismatch for an id outside the vocabulary, Kind::usage for no ids or bad options.
Logits logits_of(const Model& model, std::span<const int32_t> ids, const LogitsOptions& options = {});

struct PerplexityOptions {
  WorkOptions work;
  KvType kv = KvType::f32;
  int64_t window = 512;
  std::optional<int32_t> bos;  ///< takes the place of each window's first token
  OnProgress progress;
};

struct Perplexity {
  double value = 0;           ///< exp(mean of -log p)
  double standard_error = 0;  ///< of the value, from the spread of -log p taken as independent
  int64_t scored = 0, windows = 0;
};

/// Windows without overlap; every token of a window but its first is scored. A last, shorter window counts if no full
/// one came before. Throws Kind::usage for a window or text of fewer than two tokens, Kind::mismatch for a bad id.
Perplexity perplexity(const Model& model, std::span<const int32_t> ids, const PerplexityOptions& options = {});

}  // namespace madang
