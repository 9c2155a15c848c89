// How far one model's answers lie from another's, position by position over a text: what quantization, a cache type or
// a faster computation costs. Both run beside each other, so nothing has to be stored.
//   KL divergence   sum over tokens of p_base (log p_base - log p), in nats (Kullback and Leibler 1951)
// Refused: models whose vocabularies differ.
#pragma once
#include "engine/score.h"
#include "engine/windows.h"

namespace madang {

struct DivergenceOptions {
  PerplexityOptions model;  ///< of the model judged; its windows and progress count
  WorkOptions base_work;    ///< of the base, which has a float32 cache
};

struct Divergence {
  Mean kl;  ///< nats
  double kl_median = 0, kl_99 = 0, kl_most = 0;
  Mean log_ratio;  ///< log of perplexity over the base's, from paired differences
  double perplexity = 0, base_perplexity = 0;
  Mean same_top;        ///< how often both would say the same at temperature 0, 0 to 1
  Mean squared_change;  ///< of the right token's probability
  int64_t scored = 0, windows = 0;
};

Divergence divergence(const Model& model, const Model& base, std::span<const int32_t> ids,
                      const DivergenceOptions& options = {});

}  // namespace madang
