// One vector for a whole text: the hidden states after the final norm, pooled as the model was trained to be.
// Refuses: ways of pooling that are not built (max, weighted mean, several at once), rather than another in their
// place.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/source.h"

namespace madang {

enum class Pooling {
  mean,   ///< of all tokens
  last,   ///< the last token: in a decoder the only one that has seen the whole text
  first,  ///< the first token, [CLS] where both directions are seen
};
const char* name_of(Pooling pooling);

/// As the model's own files say: GGUF `{architecture}.pooling_type` (llama.cpp's numbers: 1 mean, 2 CLS, 3 last), or
/// 1_Pooling/config.json beside the weights (sentence-transformers' Pooling module). Nothing if they do not say.
/// Throws Kind::unsupported for other ways, Kind::format.
std::optional<Pooling> read_pooling(const Source& source);

/// Collects rows as they come. Sums run in float64 in the order of the tokens, so the result does not depend on how
/// the text was cut.
class Pool {
 public:
  explicit Pool(Pooling how) : how_(how) {}
  void add(std::span<const float> hidden);  ///< of the next token, [width]
  std::vector<float> value() const;         ///< [width]; empty before the first token

 private:
  Pooling how_;
  int64_t count_ = 0;
  std::vector<double> sum_;
};

}  // namespace madang
