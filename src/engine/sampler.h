// From one row of logits to one token. Filters run in the order of Hugging Face's generate(), each seeing only what
// the one before left, renormalized:
//
//   1. logit_bias            added to logits (OpenAI)
//   2. repetition_penalty    prompt and answer: positive logits divided, negative multiplied (Keskar et al. 2019; HF)
//   3. frequency_, presence_penalty   answer only: logit - count * frequency - (count > 0) * presence (OpenAI)
//   4. temperature           0: the largest logit, the lower id of equals; the steps below are then without effect
//   5. top_k                 the k largest; equals of the k-th stay (HF)
//   6. top_p                 the fewest largest whose probabilities reach top_p (Holtzman et al. 2020; HF)
//   7. min_p                 probability at least min_p times the largest (Nguyen et al. 2024; HF)
//   8. typical_p             the fewest closest to the entropy that reach typical_p (Meister et al. 2023; HF)
//
// Draw k of a sequence depends on its seed and on k alone. Refused: logits that are NaN or +infinity.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"

namespace madang {

struct SamplerOptions {
  double temperature = 1;                              ///< 0: greedy; up to 100
  int64_t top_k = 0;                                   ///< 0: off
  double top_p = 1;                                    ///< (0, 1]; 1: off
  double min_p = 0;                                    ///< [0, 1]; 0: off
  double typical_p = 1;                                ///< (0, 1]; 1: off
  double repetition_penalty = 1;                       ///< above 0, up to 100; 1: off
  double frequency_penalty = 0;                        ///< [-2, 2]
  double presence_penalty = 0;                         ///< [-2, 2]
  std::vector<std::pair<int32_t, double>> logit_bias;  ///< [-100, 100] each
  uint64_t seed = 0;
  /// Absent: no log probabilities. Else that of the chosen token and of so many of the likeliest (0 to 20).
  std::optional<int> logprobs;

  /// Throws Kind::usage naming the field, its range and what was found.
  void check(int64_t vocabulary) const;
};

/// The natural logarithm of a token's probability under the model itself: before biases, penalties and filters.
struct TokenLogprob {
  int32_t id = -1;
  float logprob = 0;
};

struct Sampled {
  int32_t id = -1;
  float logprob = 0;              ///< only if asked for, as is `top`
  std::vector<TokenLogprob> top;  ///< falling; of equals the lower id first
};

/// One sequence's sampler; a copy goes on by itself from where the original stood.
class Sampler {
 public:
  /// `options` have been checked.
  Sampler(SamplerOptions options, std::span<const int32_t> prompt);

  /// The next token, counted as part of the answer. Nothing if the logits are not finite, or no token is possible;
  /// -infinity rules a token out.
  std::optional<Sampled> sample(std::span<const float> logits);
  /// The same without log probabilities.
  std::optional<int32_t> pick(std::span<const float> logits);

  const SamplerOptions& options() const { return options_; }
  void reseed(uint64_t seed) { options_.seed = seed; }
  int64_t draws() const { return draws_; }

 private:
  void penalize(std::vector<float>& logits) const;
  int32_t draw(std::span<const float> logits) const;

  SamplerOptions options_;
  int64_t draws_ = 0;
  std::unordered_map<int32_t, int64_t> seen_;  ///< tokens of prompt and answer, with their counts in the answer
};

/// What `logits` say of a given token, and of the `top` likeliest. Nothing if they are not finite.
std::optional<Sampled> judged(std::span<const float> logits, int32_t id, int top);

/// What ends a request whose numbers are not finite.
Error not_numbers(Text what = say("the model's logits are not numbers"));

/// log(sum(exp(x))), in float64.
double log_sum_exp(std::span<const float> x);

}  // namespace madang
