// Guesses from the sequence itself: where its last tokens stood before, what came then may come again (prompt lookup
// decoding, Saxena 2023). For answers that repeat what they were given: corrections, summaries, code.
#pragma once
#include "engine/guesser.h"

namespace madang {

class PromptLookup : public Guesser {
 public:
  void guess(Workplace& work, std::span<Guess> all) override;
};

/// The continuation of the place before the end that shares the longest run of tokens with the end, the latest of
/// equals; at most `most` tokens, none if no place shares two.
std::vector<int32_t> looked_up(std::span<const int32_t> tokens, int64_t most);

}  // namespace madang
