// Log probabilities of past prompts, so that the beginning they share with another need not be computed for its scores
// again: evaluations ask for many continuations of one question, and many questions after the same examples.
// Compared token by token. Bounded by tokens; the prompt used longest ago goes first.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "engine/prefix_cache.h"
#include "engine/sampler.h"

namespace madang {

class PromptScores {
 public:
  /// `most`: tokens of all prompts kept; 0: none.
  explicit PromptScores(int64_t most) : most_(most) {}

  /// `scores[i]` is that of tokens[i], beside `top` of the likeliest.
  void keep(std::span<const int32_t> tokens, int top, const std::vector<Sampled>& scores);
  /// The scores of the longest beginning of `tokens` that some prompt had; empty if there is none.
  std::span<const Sampled> find(std::span<const int32_t> tokens, int top);

 private:
  struct Entry {
    std::vector<Sampled> scores;
    int64_t used = 0;
  };
  using Entries = std::map<std::vector<int32_t>, Entry, TokenOrder>;
  void forget_oldest();

  int64_t most_, tokens_ = 0, clock_ = 0;
  std::map<int, Entries> entries_;  // by top
};

}  // namespace madang
