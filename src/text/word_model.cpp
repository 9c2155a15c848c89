// The models that are not byte-pair encoding.
#include "text/word_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "text/unicode.h"

namespace madang {
namespace {

class Unigram final : public WordModel {
 public:
  Unigram(const TokenTable& tokens, std::vector<double> scores, const std::vector<bool>& usable, Fallback fallback,
          double lowest, bool single)
      : scores_(std::move(scores)), fallback_(fallback), single_(single) {
    for (int32_t id = tokens.size() - 1; id >= 0; --id) {
      if (tokens.has(id) && usable[id] && !tokens[id].empty()) trie_.add(tokens[id], id);
    }
    // sentencepiece's penalty: an unknown character is worse than any piece, by 10 nats.
    unknown_score_ = std::isfinite(lowest) ? lowest - 10 : -10;
  }

  void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const override {
    if (word.empty()) return;
    size_t from = out.size();
    std::vector<Node> best(word.size() + 1);  // best[i]: the best way to end at byte i
    best[0] = {0, 0, -1};
    for (size_t at = 0; at < word.size(); at += code_point(word, at).size) extend(word, at, best);
    auto& symbols = scratch.symbols;
    symbols.clear();
    for (size_t end = word.size(); end > 0; end = best[end].begin)
      symbols.push_back({static_cast<uint32_t>(best[end].begin), static_cast<uint32_t>(end), best[end].id});
    for (size_t i = symbols.size(); i-- > 0;) {
      const auto& s = symbols[i];
      if (s.id >= 0)
        out.push_back(s.id);
      else
        fallback_.append(word.substr(s.begin, s.end - s.begin), from, out);
    }
  }

 private:
  struct Node {
    double score = -std::numeric_limits<double>::infinity();
    size_t begin = 0;
    int32_t id = -1;  // -1: unknown
  };

  double sum(double a, double b) const { return single_ ? static_cast<float>(a) + static_cast<float>(b) : a + b; }

  void extend(std::string_view word, size_t at, std::vector<Node>& best) const {
    size_t one = code_point(word, at).size;
    double here = best[at].score;
    bool covers_one = false;
    auto offer = [&](size_t end, double score, int32_t id) {
      if (score > best[end].score) best[end] = {score, at, id};
    };
    uint32_t node = Trie::root;
    for (size_t i = at; i < word.size(); ++i) {
      node = trie_.child(node, static_cast<uint8_t>(word[i]));
      if (node == Trie::none) break;
      int32_t id = trie_.value(node);
      if (id < 0) continue;
      offer(i + 1, sum(here, scores_[id]), id == fallback_.unknown ? -1 : id);
      covers_one |= i + 1 == at + one;
    }
    if (!covers_one) offer(at + one, sum(here, unknown_score_), -1);
  }

  std::vector<double> scores_;
  Fallback fallback_;
  bool single_;
  double unknown_score_;
  Trie trie_;
};

class WordPiece final : public WordModel {
 public:
  WordPiece(const TokenTable& tokens, std::string prefix, int32_t unknown, size_t longest)
      : tokens_(tokens), prefix_(std::move(prefix)), unknown_(unknown), longest_(longest) {}

  void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const override {
    size_t before = out.size();
    bool covered = characters(word) <= longest_;
    for (size_t at = 0; covered && at < word.size();) {
      size_t end = word.size();
      int32_t id = -1;
      for (; end > at; end = previous(word, end)) {
        scratch.text.assign(at ? prefix_ : "").append(word.substr(at, end - at));
        if ((id = tokens_.find(scratch.text)) >= 0) break;
      }
      covered = id >= 0;
      out.push_back(id);
      at = end;
    }
    if (covered) return;
    out.resize(before);
    if (unknown_ >= 0) out.push_back(unknown_);
  }

 private:
  const TokenTable& tokens_;
  std::string prefix_;
  int32_t unknown_;
  size_t longest_;
};

class WordLevel final : public WordModel {
 public:
  WordLevel(const TokenTable& tokens, int32_t unknown) : tokens_(tokens), unknown_(unknown) {}
  void encode(std::string_view word, WordScratch&, std::vector<int32_t>& out) const override {
    int32_t id = tokens_.find(word);
    if (id < 0) id = unknown_;
    if (id >= 0) out.push_back(id);
  }

 private:
  const TokenTable& tokens_;
  int32_t unknown_;
};

class LongestMatch final : public WordModel {
 public:
  LongestMatch(const TokenTable& tokens, int32_t unknown) : unknown_(unknown) {
    for (int32_t id = 0; id < tokens.size(); ++id)
      if (!tokens[id].empty()) trie_.add(tokens[id], id);
  }
  void encode(std::string_view word, WordScratch&, std::vector<int32_t>& out) const override {
    for (size_t at = 0; at < word.size();) {
      Trie::Match match = trie_.longest(word, at);
      int32_t id = match.size ? match.value : unknown_;
      if (id >= 0) out.push_back(id);
      at += std::max<size_t>(match.size, 1);
    }
  }

 private:
  int32_t unknown_;
  Trie trie_;
};

}  // namespace

std::unique_ptr<WordModel> make_unigram(const TokenTable& tokens, std::vector<double> scores,
                                        const std::vector<bool>& usable, Fallback fallback, double lowest,
                                        bool single) {
  return std::make_unique<Unigram>(tokens, std::move(scores), usable, fallback, lowest, single);
}

std::unique_ptr<WordModel> make_wordpiece(const TokenTable& tokens, std::string prefix, int32_t unknown,
                                          size_t longest_word) {
  return std::make_unique<WordPiece>(tokens, std::move(prefix), unknown, longest_word);
}

std::unique_ptr<WordModel> make_wordlevel(const TokenTable& tokens, int32_t unknown) {
  return std::make_unique<WordLevel>(tokens, unknown);
}

std::unique_ptr<WordModel> make_longest_match(const TokenTable& tokens, int32_t unknown) {
  return std::make_unique<LongestMatch>(tokens, unknown);
}

}  // namespace madang
