#include "engine/prefix_cache.h"

#include <algorithm>

namespace madang {
namespace {

bool starts_with(std::span<const int32_t> tokens, std::span<const int32_t> beginning) {
  return tokens.size() >= beginning.size() && std::ranges::equal(tokens.first(beginning.size()), beginning);
}

int64_t common(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::ranges::mismatch(a, b).in1 - a.begin();
}

// The state of a shorter past; nothing if some layer no longer has it.
std::optional<SequenceState> cut(const SequenceState& state, int64_t length) {
  SequenceState copy = state.fork();
  if (!copy.truncate(length)) return {};
  return copy;
}

}  // namespace

bool TokenOrder::operator()(std::span<const int32_t> a, std::span<const int32_t> b) const {
  return std::ranges::lexicographical_compare(a, b);
}

std::optional<SequenceState> PrefixCache::find(std::span<const int32_t> tokens, int64_t limit) {
  std::span<const int32_t> wanted = tokens.first(tokens.empty() ? 0 : tokens.size() - 1);
  // Entries that begin with `wanted` stand together. If none of them can be cut there, none can be cut shorter, and
  // what shares most with the prompt among the others stands on either side of them.
  while (!wanted.empty()) {
    const auto length = static_cast<int64_t>(wanted.size());
    const auto begin = entries_.lower_bound(wanted);
    int64_t next = begin == entries_.begin() ? 0 : common(std::prev(begin)->first, wanted);
    for (auto it = begin; it != entries_.end(); ++it) {
      const int64_t shared = common(it->first, wanted);
      if (shared < length) {
        next = std::max(next, shared);
        break;
      }
      if (it->second.state.limit != limit) continue;
      if (auto state = cut(it->second.state, length)) {
        it->second.used = ++clock_;
        return state;
      }
    }
    wanted = wanted.first(static_cast<size_t>(next));
  }
  return {};
}

void PrefixCache::keep(std::span<const int32_t> tokens, SequenceState state) {
  const int64_t bytes = state.bytes();
  if (state.length <= 0 || state.length > static_cast<int64_t>(tokens.size()) || bytes > most_) return;
  const std::span<const int32_t> key = tokens.first(static_cast<size_t>(state.length));
  // One that goes on from here and can be cut here serves as well.
  auto it = entries_.lower_bound(key);
  if (it != entries_.end() && starts_with(it->first, key) && it->second.state.limit == state.limit &&
      cut(it->second.state, state.length)) {
    it->second.used = ++clock_;
    return;
  }
  if (it != entries_.end() && std::ranges::equal(it->first, key)) erase(it);
  // And what this one can be cut to need not be kept.
  for (it = entries_.lower_bound(key); it != entries_.begin();) {
    auto shorter = std::prev(it);
    if (!starts_with(key, shorter->first) || shorter->second.state.limit != state.limit ||
        !cut(state, shorter->second.state.length))
      break;
    erase(shorter);
    it = entries_.lower_bound(key);
  }
  while (stats_.bytes + bytes > most_) {
    erase(std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.used; }));
    ++stats_.evictions;
  }
  entries_.emplace(std::vector(key.begin(), key.end()), Entry{std::move(state), ++clock_, bytes});
  ++stats_.entries, stats_.bytes += bytes;
}

void PrefixCache::erase(Entries::iterator entry) {
  --stats_.entries, stats_.bytes -= entry->second.bytes;
  entries_.erase(entry);
}

void PrefixCache::count(int64_t reused) { ++stats_.lookups, stats_.hits += reused > 0, stats_.reused_tokens += reused; }

void PrefixCache::clear() {
  entries_.clear();
  stats_.entries = stats_.bytes = 0;
}

}  // namespace madang
