#include "base/nearest.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace madang {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

namespace {

// Small for what was cut short or mistyped late: letters in common at the start count as much as edits.
long unlikeness(std::string_view a, std::string_view b) {
  const auto [end, ignored] = std::ranges::mismatch(a, b);
  return static_cast<long>(edit_distance(a, b)) - (end - a.begin());
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string_view> known) {
  word = word.substr(0, 256);  // longer words are nobody's typo
  auto best = std::min_element(known.begin(), known.end(),
                               [&](auto a, auto b) { return unlikeness(word, a) < unlikeness(word, b); });
  return best == known.end() ? std::string() : std::string(*best);
}

}  // namespace madang
