#include <algorithm>
#include <bit>

#include "text/bpe_merge.h"
#include "text/normalize.h"
#include "text/unicode.h"
#include "text/word_model.h"

namespace madang {

void Fallback::append(std::string_view text, size_t from, std::vector<int32_t>& out) const {
  auto id = [&](char c) { return byte_ids[static_cast<uint8_t>(c)]; };
  if (bytes && std::all_of(text.begin(), text.end(), [&](char c) { return id(c) >= 0; })) {
    for (char c : text) out.push_back(id(c));
  } else if (unknown >= 0) {
    if (!fuse_unknown || out.size() <= from || out.back() != unknown) out.push_back(unknown);
  }
}

namespace {

// Pairs of ids and what they join to: open addressing, at most half full, 16 bytes an entry.
class PairTable {
 public:
  explicit PairTable(const std::vector<Merge>& merges) : slots_(std::bit_ceil(2 * merges.size() + 2)) {
    for (size_t i = 0; i < merges.size(); ++i) put(merges[i], static_cast<uint32_t>(i));
  }
  Joined find(int32_t left, int32_t right) const {
    uint64_t key = key_of(left, right);
    for (size_t at = place(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return slots_[at].joined;
      if (slots_[at].key == free_key) return {};
    }
  }

 private:
  static constexpr uint64_t free_key = ~uint64_t{0};
  struct Slot {
    uint64_t key = free_key;
    Joined joined;
  };
  static uint64_t key_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t place(uint64_t key) const {
    key ^= key >> 29;
    return (key * 0x9E3779B97F4A7C15u >> 20) & (slots_.size() - 1);
  }
  void put(const Merge& merge, uint32_t rank) {
    uint64_t key = key_of(merge.left, merge.right);
    size_t at = place(key);
    while (slots_[at].key != free_key && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].key == free_key) slots_[at] = {key, {rank, merge.result}};
  }
  std::vector<Slot> slots_;
};

// What both kinds share. A word that is a token by itself mostly encodes to that token, which is far cheaper than
// merging; whether it does is found out once and remembered (the answer is the same for every thread).
class Bpe : public WordModel {
 public:
  Bpe(const TokenTable& tokens, BpeRules rules)
      : tokens_(tokens),
        rules_(std::move(rules)),
        known_(std::make_unique<std::atomic<uint8_t>[]>(static_cast<size_t>(tokens.size()))) {
    for (int b = 0; b < 256; ++b) byte_ids_[b] = tokens.find(std::string(1, static_cast<char>(b)));
    marks_start_words_ = !rules_.byte_symbols && rules_.prefix.empty() && rules_.suffix.empty() && !any_mark_inside();
  }

  void encode(std::string_view text, WordScratch& scratch, std::vector<int32_t>& out) const override {
    size_t from = out.size();
    if (!marks_start_words_) return encode_word(text, from, scratch, out);
    // No token has U+2581 behind another character, so nothing joins there: each blank starts a word of its own.
    size_t begin = 0;
    for (size_t at = 1; at < text.size(); ++at) {
      if (text[at] != blank_mark[0] || !text.substr(at).starts_with(blank_mark)) continue;
      if (at >= 3 && text.substr(at - 3).starts_with(blank_mark)) continue;
      encode_word(text.substr(begin, at - begin), from, scratch, out);
      begin = at;
    }
    if (begin < text.size()) encode_word(text.substr(begin), from, scratch, out);
  }

 protected:
  virtual void merge(std::string_view word, std::vector<WordScratch::Symbol>& symbols) const = 0;
  /// Whether symbols that the vocabulary lacks take part in merges (by their bytes) or are replaced before.
  virtual bool keeps_unknown() const = 0;

  const TokenTable& tokens_;
  const BpeRules rules_;

 private:
  enum : uint8_t { untried, whole, composed };

  bool any_mark_inside() const {
    for (int32_t id = 0; id < tokens_.size(); ++id) {
      std::string_view token = tokens_[id];
      for (size_t at = token.find(blank_mark, 1); at != token.npos; at = token.find(blank_mark, at + 1))
        if (at < 3 || !token.substr(at - 3).starts_with(blank_mark)) return true;
    }
    return false;
  }

  void encode_word(std::string_view word, size_t from, WordScratch& scratch, std::vector<int32_t>& out) const {
    int32_t id =
        rules_.suffix.empty() ? tokens_.find(word) : tokens_.find(scratch.text.assign(word).append(rules_.suffix));
    if (id >= 0) {
      uint8_t state = rules_.whole_words ? uint8_t{whole} : known_[id].load(std::memory_order_relaxed);
      if (state == whole) return out.push_back(id);
      size_t before = out.size();
      encode_by_merges(word, from, scratch, out);
      bool same = out.size() == before + 1 && out.back() == id;
      if (state == untried) known_[id].store(same ? whole : composed, std::memory_order_relaxed);
      return;
    }
    encode_by_merges(word, from, scratch, out);
  }

  void encode_by_merges(std::string_view word, size_t from, WordScratch& scratch, std::vector<int32_t>& out) const {
    auto& symbols = scratch.symbols;
    symbols.clear();
    scratch.lost = false;
    for (uint32_t at = 0; at < word.size();) {
      uint32_t end = at + (rules_.byte_symbols ? 1 : code_point(word, at).size);
      add_symbol(word, at, end, scratch);
      at = end;
    }
    merge(word, symbols);
    for (const auto& s : symbols) {
      if (s.id >= 0)
        out.push_back(s.id);
      else
        rules_.fallback.append(word.substr(s.begin, s.end - s.begin), from, out);
    }
  }

  int32_t symbol_id(std::string_view word, uint32_t begin, uint32_t end, std::string& text) const {
    bool first = begin == 0, last = end == word.size();
    bool plain = (first || rules_.prefix.empty()) && (!last || rules_.suffix.empty());
    if (plain && end - begin == 1) return byte_ids_[static_cast<uint8_t>(word[begin])];
    std::string_view symbol = word.substr(begin, end - begin);
    if (plain) return tokens_.find(symbol);
    text.assign(first ? "" : rules_.prefix).append(symbol).append(last ? rules_.suffix : "");
    return tokens_.find(text);
  }

  void add_symbol(std::string_view word, uint32_t begin, uint32_t end, WordScratch& scratch) const {
    int32_t id = symbol_id(word, begin, end, scratch.text);
    if (id >= 0 || keeps_unknown()) {
      scratch.lost = false;
      return scratch.symbols.push_back({begin, end, id});
    }
    std::vector<int32_t> instead;  // rare: the vocabulary lacks a character
    Fallback loose = rules_.fallback;
    loose.fuse_unknown = false;
    loose.append(word.substr(begin, end - begin), 0, instead);
    bool lost = instead.size() == 1 && instead[0] == loose.unknown;
    // Fused before merges, and only with its kind: a merge may give the unknown token's spelling too.
    if (lost && scratch.lost && rules_.fallback.fuse_unknown)
      scratch.symbols.back().end = end;
    else
      for (int32_t one : instead) scratch.symbols.push_back({begin, end, one});
    scratch.lost = lost;
  }

  std::array<int32_t, 256> byte_ids_;
  bool marks_start_words_;
  std::unique_ptr<std::atomic<uint8_t>[]> known_;
};

class PairBpe final : public Bpe {
 public:
  PairBpe(const TokenTable& tokens, BpeRules rules, const std::vector<Merge>& merges)
      : Bpe(tokens, std::move(rules)), pairs_(merges) {}

 private:
  void merge(std::string_view, std::vector<WordScratch::Symbol>& symbols) const override {
    merge_symbols(symbols, [&](const auto& l, const auto& r) { return pairs_.find(l.id, r.id); });
  }
  bool keeps_unknown() const override { return false; }
  PairTable pairs_;
};

class RankBpe final : public Bpe {
 public:
  RankBpe(const TokenTable& tokens, BpeRules rules, std::vector<uint32_t> ranks)
      : Bpe(tokens, std::move(rules)), ranks_(std::move(ranks)) {}

 private:
  void merge(std::string_view word, std::vector<WordScratch::Symbol>& symbols) const override {
    merge_symbols(symbols, [&](const auto& l, const auto& r) {
      int32_t id = tokens_.find(word.substr(l.begin, r.end - l.begin));
      return id >= 0 ? Joined{ranks_[id], id} : Joined{};
    });
  }
  bool keeps_unknown() const override { return true; }
  std::vector<uint32_t> ranks_;
};

}  // namespace

std::unique_ptr<WordModel> make_bpe(const TokenTable& tokens, BpeRules rules, const std::vector<Merge>& merges) {
  return std::make_unique<PairBpe>(tokens, std::move(rules), merges);
}

std::unique_ptr<WordModel> make_bpe(const TokenTable& tokens, BpeRules rules, std::vector<uint32_t> ranks) {
  return std::make_unique<RankBpe>(tokens, std::move(rules), std::move(ranks));
}

}  // namespace madang
