// Byte strings and their ids, both ways: one arena, one open-addressed hash. Ids may come in any order and may have
// holes. Refuses (Kind::format) ids that are negative or far beyond the number of tokens: an id sizes an array.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace madang {

/// A hash for short strings: one multiplication for up to 16 bytes (folded products, after wyhash).
inline uint64_t hash_bytes(std::string_view s) {
  auto fold = [](uint64_t a, uint64_t b) {
    unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  auto eight = [](const char* p) {
    uint64_t v;
    std::memcpy(&v, p, 8);
    return v;
  };
  auto four = [](const char* p) {
    uint32_t v;
    std::memcpy(&v, p, 4);
    return static_cast<uint64_t>(v);
  };
  constexpr uint64_t odd_1 = 0xA0761D6478BD642F, odd_2 = 0xE7037ED1A0B428DB;
  const char* p = s.data();
  size_t n = s.size();
  uint64_t seed = odd_1 ^ n;
  while (n > 16) {
    seed = fold(eight(p) ^ odd_1, eight(p + 8) ^ seed);
    p += 16;
    n -= 16;
  }
  uint64_t a = 0, b = 0;
  if (n >= 8) {
    a = eight(p);
    b = eight(p + n - 8);
  } else if (n >= 4) {
    a = four(p);
    b = four(p + n - 4);
  } else if (n > 0) {
    a = static_cast<uint64_t>(static_cast<uint8_t>(p[0])) << 16 |
        static_cast<uint64_t>(static_cast<uint8_t>(p[n / 2])) << 8 | static_cast<uint8_t>(p[n - 1]);
  }
  return fold(a ^ odd_2, b ^ seed);
}

class TokenTable {
 public:
  void reserve(size_t tokens, size_t bytes);
  /// Of two tokens with the same bytes the first keeps the way from bytes to id.
  void add(int32_t id, std::string_view bytes, const std::string& where);
  /// The same, but no bytes lead to it: a token that only its id names.
  void add_unreachable(int32_t id, std::string_view bytes, const std::string& where);

  int32_t size() const { return static_cast<int32_t>(spans_.size()); }  ///< largest id + 1
  bool has(int32_t id) const { return id >= 0 && id < size() && spans_[id].offset != hole; }
  std::string_view operator[](int32_t id) const {
    return has(id) ? std::string_view(arena_).substr(spans_[id].offset, spans_[id].length) : std::string_view();
  }
  int32_t find(std::string_view bytes) const { return slots_.empty() ? -1 : find(bytes, hash_bytes(bytes)); }

 private:
  static constexpr uint64_t hole = ~uint64_t{0};
  struct Span {
    uint64_t offset;
    uint32_t length;
  };
  struct Slot {
    uint32_t tag;  // upper half of the hash
    int32_t id;    // -1: free
  };

  int32_t find(std::string_view bytes, uint64_t hash) const {
    size_t mask = slots_.size() - 1;
    auto tag = static_cast<uint32_t>(hash >> 32);
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.id < 0) return -1;
      if (slot.tag != tag) continue;
      const Span& span = spans_[slot.id];
      if (span.length == bytes.size() && std::memcmp(arena_.data() + span.offset, bytes.data(), bytes.size()) == 0)
        return slot.id;
    }
  }
  void grow(size_t slots);
  void put(Slot slot, uint64_t hash);

  std::string arena_;
  std::vector<Span> spans_;
  std::vector<Slot> slots_;
  size_t used_ = 0, added_ = 0;
};

}  // namespace madang
