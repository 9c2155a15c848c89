// States of sequences that paused or ended, to begin others with. Compared token by token, never by hash. Ordered by
// their tokens: the entry that shares most with a prompt is its neighbour, so the ordered map is a prefix tree lying
// flat. Pages are shared with running sequences (copied on write), so keeping is cheap.
//
// A state serves a prompt if every layer can forget what comes after the common prefix: full attention always can,
// a sliding window only while that past is still held, a recurrence only at the state's very end. Bounded by bytes,
// pages counted in full for each entry; the entry used longest ago goes first.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "nn/state.h"

namespace madang {

struct CacheStats {
  int64_t lookups = 0, hits = 0, reused_tokens = 0, evictions = 0;
  int64_t entries = 0, bytes = 0;
};

/// Of beginnings of texts: by tokens, the shorter first. What shares most with a text stands beside it.
struct TokenOrder {
  using is_transparent = void;
  bool operator()(std::span<const int32_t> a, std::span<const int32_t> b) const;
};

class PrefixCache {
 public:
  explicit PrefixCache(int64_t most_bytes) : most_(most_bytes) {}

  /// A state holding the first state.length tokens, the longest that is found; always less than all of them, since
  /// the last one's logits are wanted. Only states opened for the same limit serve. Counts nothing: see count().
  std::optional<SequenceState> find(std::span<const int32_t> tokens, int64_t limit);
  /// Keeps the state of tokens[0, state.length), unless it is larger than the bound.
  void keep(std::span<const int32_t> tokens, SequenceState state);
  /// A sequence has begun with so many tokens of another's.
  void count(int64_t reused);
  void clear();
  const CacheStats& stats() const { return stats_; }

 private:
  struct Entry {
    SequenceState state;
    int64_t used = 0, bytes = 0;
  };
  using Entries = std::map<std::vector<int32_t>, Entry, TokenOrder>;

  void erase(Entries::iterator entry);

  int64_t most_, clock_ = 0;
  Entries entries_;
  CacheStats stats_;
};

}  // namespace madang
