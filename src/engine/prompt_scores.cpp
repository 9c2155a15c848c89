#include "engine/prompt_scores.h"

#include <algorithm>

namespace madang {

void PromptScores::keep(std::span<const int32_t> tokens, int top, const std::vector<Sampled>& scores) {
  const auto length = static_cast<int64_t>(tokens.size());
  if (length > most_ || scores.size() != tokens.size()) return;
  Entries& entries = entries_[top];
  if (const auto same = entries.find(tokens); same != entries.end()) {
    same->second.used = ++clock_;
    return;
  }
  entries.emplace(std::vector(tokens.begin(), tokens.end()), Entry{scores, ++clock_});
  for (tokens_ += length; tokens_ > most_;) forget_oldest();
}

std::span<const Sampled> PromptScores::find(std::span<const int32_t> tokens, int top) {
  Entries& entries = entries_[top];
  auto shared = [&](const Entries::value_type& entry) {
    return static_cast<size_t>(std::ranges::mismatch(entry.first, tokens).in1 - entry.first.begin());
  };
  const auto after = entries.lower_bound(tokens);
  size_t length = 0;
  Entry* best = nullptr;
  auto look = [&](Entries::iterator it) {
    if (const size_t n = shared(*it); n > length) length = n, best = &it->second;
  };
  if (after != entries.end()) look(after);
  if (after != entries.begin()) look(std::prev(after));
  if (!best) return {};
  best->used = ++clock_;
  return std::span(best->scores).first(length);
}

void PromptScores::forget_oldest() {
  std::pair<Entries*, Entries::iterator> oldest{nullptr, {}};
  for (auto& [top, entries] : entries_)
    for (auto it = entries.begin(); it != entries.end(); ++it)
      if (!oldest.first || it->second.used < oldest.second->second.used) oldest = {&entries, it};
  tokens_ -= static_cast<int64_t>(oldest.second->first.size());
  oldest.first->erase(oldest.second);
}

}  // namespace madang
