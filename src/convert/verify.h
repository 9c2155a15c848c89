// Whether two checkpoints are the same model: every weight against the other's, then what both say about the same
// tokens. Made for conversions: A a repository, B a GGUF of it, or the other way.
// Refused: models of different architectures or sizes (an error, not a verdict).
#pragma once
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "engine/score.h"
#include "store/placement.h"

namespace madang {

struct TensorDifference {
  std::string name;  ///< as Hugging Face repositories have it
  std::string_view from, to;
  double relative = 0;  ///< |a - b| / |a|, Euclidean
  double largest = 0;   ///< max |a - b|
};

struct VerifyOptions {
  std::vector<int32_t> ids;  ///< empty: `tokens` ids drawn with a fixed seed
  int64_t tokens = 64;
  int64_t greedy = 16;
  double most_kl = 0.01;  ///< nats, mean: above it the models count as different
  WorkOptions work;       ///< exact
  OnProgress progress;
};

enum class Verdict {
  same,       ///< every weight equal, and the logits with them
  rounding,   ///< mean KL divergence at most 1e-5 nats: float formats
  close,      ///< at most most_kl: quantization
  different,  ///< more, or another tokenizer
};

struct Verification {
  std::vector<TensorDifference> tensors;
  double largest_logit = 0, largest_difference = 0;  ///< |logit| of A; |a - b|
  double kl_mean = 0, kl_most = 0;                   ///< nats, of A's distribution against B's
  int64_t positions = 0, same_top = 0;
  int64_t greedy = 0, greedy_same = 0;  ///< tokens until the first that differs
  bool same_tokenizer = true, same_template = true, same_ends = true;
  Verdict verdict = Verdict::same;
};

/// Both opened with their weights. Throws Kind::mismatch if they cannot be compared.
Verification verify(const Checkpoint& a, const Checkpoint& b, const VerifyOptions& options);

}  // namespace madang
