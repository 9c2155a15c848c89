// Python's sorted: stable, in both directions, and safe with an order that is none (nan) or that throws.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

namespace madang::jinja {

/// Merges runs of growing width; `before(a, b)` says that a must stand in front of b.
template <class T, class Before>
void sort_stable(std::vector<T>& all, Before before, bool downwards = false) {
  if (downwards) std::reverse(all.begin(), all.end());  // equal ones keep their order: reversed twice
  std::vector<T> merged(all.size());
  for (size_t width = 1; width < all.size(); width *= 2) {
    for (size_t from = 0; from < all.size(); from += 2 * width) {
      size_t middle = std::min(from + width, all.size()), end = std::min(from + 2 * width, all.size());
      size_t left = from, right = middle;
      for (size_t i = from; i < end; ++i) {
        bool take_right = left == middle || (right < end && before(all[right], all[left]));
        merged[i] = std::move(all[take_right ? right++ : left++]);
      }
    }
    std::swap(all, merged);
  }
  if (downwards) std::reverse(all.begin(), all.end());
}

}  // namespace madang::jinja
