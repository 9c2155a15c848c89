// What one forward sees: token ids packed over sequences, where each sequence's stretch lies, and which rows want
// logits.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "nn/state.h"

namespace madang {

/// One sequence's stretch of the packed tokens. `start` is the absolute position of its first token; `limit` the
/// length the sequence may reach (see SequenceState); `state` is null in training: every stretch then starts at 0.
struct Segment {
  int64_t offset = 0, length = 0, start = 0, limit = 0;
  SequenceState* state = nullptr;
};

struct Step {
  std::vector<int32_t> ids;       ///< [T]
  std::vector<Segment> segments;  ///< in order of offset, covering all T
  std::vector<int32_t> wanted;    ///< rows of the packed tokens that want logits

  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }

  /// Adds a stretch that continues `state`; wants logits of its last token, of all, or of none.
  enum class Want { none, last, all };
  void add(std::span<const int32_t> tokens, SequenceState* state, Want want);
  /// Adds a stretch for training: no state, positions from 0.
  void add(std::span<const int32_t> tokens);
  /// To be called after the forward: sequences are as long as what they have seen.
  void advance();
};

}  // namespace madang
