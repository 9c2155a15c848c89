// Strings of a vocabulary, walked byte by byte: added tokens, unigram pieces, longest matches.
// Edges lie in one open-addressed hash of (node, byte); refuses nothing.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace madang {

class Trie {
 public:
  static constexpr uint32_t none = ~uint32_t{0};

  void add(std::string_view key, int32_t value) {
    uint32_t node = 0;
    if (!key.empty()) first_[static_cast<uint8_t>(key[0])] = true;
    for (char c : key) node = child_or_new(node, static_cast<uint8_t>(c));
    if (values_[node] < 0) values_[node] = value;
  }

  bool empty() const { return values_.size() == 1; }
  /// Whether some key starts with this byte: what lets a search skip most of a text.
  bool starts(uint8_t byte) const { return first_[byte]; }
  static constexpr uint32_t root = 0;
  uint32_t child(uint32_t node, uint8_t byte) const {
    if (edges_.empty()) return none;
    uint64_t key = key_of(node, byte);
    for (size_t at = spread(key);; at = (at + 1) & (edges_.size() - 1)) {
      if (edges_[at].key == key) return edges_[at].node;
      if (edges_[at].key == 0) return none;
    }
  }
  int32_t value(uint32_t node) const { return values_[node]; }  ///< -1: no key ends here

  struct Match {
    int32_t value = -1;
    size_t size = 0;
  };
  /// The longest key that `text` has at `at`; value -1 if none.
  Match longest(std::string_view text, size_t at) const {
    Match best;
    uint32_t node = root;
    for (size_t i = at; i < text.size(); ++i) {
      node = child(node, static_cast<uint8_t>(text[i]));
      if (node == none) break;
      if (values_[node] >= 0) best = {values_[node], i + 1 - at};
    }
    return best;
  }

 private:
  struct Edge {
    uint64_t key;  // 0: free
    uint32_t node;
  };
  static uint64_t key_of(uint32_t node, uint8_t byte) { return (static_cast<uint64_t>(node) << 8 | byte) + 1; }
  size_t spread(uint64_t key) const { return (key * 0x9E3779B97F4A7C15u >> 32) & (edges_.size() - 1); }

  uint32_t child_or_new(uint32_t node, uint8_t byte) {
    if (uint32_t found = child(node, byte); found != none) return found;
    if (2 * (values_.size() + 1) > edges_.size()) grow();
    auto made = static_cast<uint32_t>(values_.size());
    values_.push_back(-1);
    put({key_of(node, byte), made});
    return made;
  }
  void grow() {
    std::vector<Edge> old(std::max<size_t>(256, edges_.size() * 2), Edge{0, 0});
    old.swap(edges_);
    for (const Edge& edge : old)
      if (edge.key) put(edge);
  }
  void put(Edge edge) {
    size_t at = spread(edge.key);
    while (edges_[at].key) at = (at + 1) & (edges_.size() - 1);
    edges_[at] = edge;
  }

  std::vector<Edge> edges_;
  std::vector<int32_t> values_ = {-1};
  bool first_[256] = {};
};

}  // namespace madang
