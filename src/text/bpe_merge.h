// The merging loop of byte-pair encoding, apart from where ranks come from.
// `join(left, right)` tells the rank and the id of two neighbouring symbols joined, rank no_rank if they may not.
#pragma once
#include <algorithm>
#include <queue>

#include "text/word_model.h"

namespace madang {

struct Joined {
  uint32_t rank = no_rank;
  int32_t id = -1;
};

// Up to this many symbols a scan over an array beats a heap: the ranks lie in four cache lines.
inline constexpr size_t short_word = 32;

template <class Join>
void merge_short(std::vector<WordScratch::Symbol>& symbols, const Join& join) {
  Joined next[short_word];  // next[i]: symbols i and i + 1 joined
  size_t n = symbols.size();
  WordScratch::Symbol* s = symbols.data();
  for (size_t i = 0; i + 1 < n; ++i) next[i] = join(s[i], s[i + 1]);
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i)
      if (next[i].rank < next[best].rank) best = i;
    if (next[best].rank == no_rank) break;
    s[best].end = s[best + 1].end;
    s[best].id = next[best].id;
    for (size_t i = best + 1; i + 1 < n; ++i) s[i] = s[i + 1];
    for (size_t i = best + 1; i + 2 < n; ++i) next[i] = next[i + 1];
    --n;
    if (best > 0) next[best - 1] = join(s[best - 1], s[best]);
    if (best + 1 < n) next[best] = join(s[best], s[best + 1]);
  }
  symbols.resize(n);
}

template <class Join>
void merge_long(std::vector<WordScratch::Symbol>& symbols, const Join& join) {
  struct Candidate {
    uint32_t rank, left, middle, end;  // place of the left symbol; where it ends; where the right one ends
    int32_t id;
    bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : left > o.left; }
  };
  constexpr uint32_t gone = ~uint32_t{0};
  auto n = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> before(n), after(n);
  std::priority_queue<Candidate> queue;
  auto consider = [&](uint32_t left, uint32_t right) {
    Joined joined = join(symbols[left], symbols[right]);
    if (joined.rank != no_rank) queue.push({joined.rank, left, symbols[left].end, symbols[right].end, joined.id});
  };
  for (uint32_t i = 0; i < n; ++i) {
    before[i] = i - 1;
    after[i] = i + 1;
    if (i + 1 < n) consider(i, i + 1);
  }
  while (!queue.empty()) {
    Candidate c = queue.top();
    queue.pop();
    uint32_t right = after[c.left];
    // Symbols only grow: a candidate is stale once either of its two ends elsewhere, or the left one is gone.
    if (right == gone || symbols[c.left].end != c.middle || right >= n || symbols[right].end != c.end) continue;
    symbols[c.left].end = c.end;
    symbols[c.left].id = c.id;
    uint32_t behind = after[right];
    after[right] = gone;
    after[c.left] = behind;
    if (behind < n) {
      before[behind] = c.left;
      consider(c.left, behind);
    }
    if (c.left > 0) consider(before[c.left], c.left);
  }
  size_t kept = 0;
  for (uint32_t i = 0; i < n; i = after[i]) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

template <class Join>
void merge_symbols(std::vector<WordScratch::Symbol>& symbols, const Join& join) {
  if (symbols.size() <= short_word)
    merge_short(symbols, join);
  else
    merge_long(symbols, join);
}

}  // namespace madang
