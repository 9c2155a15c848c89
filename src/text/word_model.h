// From a word (a piece of text that is encoded by itself) to token ids: the heart of a tokenizer.
// Bytes of a word are looked up in a TokenTable; every model keeps a reference to it.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/token_table.h"
#include "text/trie.h"

namespace madang {

/// What encoding writes on; each thread has its own. Keeps its memory between words.
struct WordScratch {
  struct Symbol {
    uint32_t begin, end;  // bytes of the word
    int32_t id;           // -1: not in the vocabulary
  };
  std::vector<Symbol> symbols;
  bool lost = false;  // the last symbol stands for a character that the vocabulary lacks
  std::string text;
};

class WordModel {
 public:
  virtual ~WordModel() = default;
  /// Appends the ids of `word`. Words are shorter than 4 GB.
  virtual void encode(std::string_view word, WordScratch& scratch, std::vector<int32_t>& out) const = 0;
};

/// What becomes of text that the vocabulary lacks.
struct Fallback {
  bool bytes = false;                      ///< by its bytes, where all of them have tokens
  std::array<int32_t, 256> byte_ids = {};  ///< -1: no such token
  int32_t unknown = -1;                    ///< -1: it vanishes
  bool fuse_unknown = false;               ///< neighbours within one text become one token

  Fallback() { byte_ids.fill(-1); }
  /// `from`: where the ids of the text that may be fused begin.
  void append(std::string_view text, size_t from, std::vector<int32_t>& out) const;
};

struct BpeRules {
  bool byte_symbols = true;  ///< words start as single bytes; otherwise as characters
  bool whole_words = false;  ///< a word of the vocabulary is its token, whatever the merges say
  Fallback fallback;
  std::string prefix, suffix;  ///< of every symbol but the first, of the last symbol ("</w>")
};

struct Merge {
  int32_t left, right, result;
};

/// Byte-pair encoding: of all neighbours that may join, those of the lowest rank do, the leftmost first, until none
/// may (Sennrich et al. 2016).
/// By pairs: merges[i] has rank i.
std::unique_ptr<WordModel> make_bpe(const TokenTable& tokens, BpeRules rules, const std::vector<Merge>& merges);
/// By what results (tiktoken, sentencepiece): neighbours join if the bytes of both are a token; ranks[id] is its rank,
/// no_rank where no merge may give it.
std::unique_ptr<WordModel> make_bpe(const TokenTable& tokens, BpeRules rules, std::vector<uint32_t> ranks);
inline constexpr uint32_t no_rank = ~uint32_t{0};

/// The pieces with the largest sum of scores (Kudo 2018). `usable[id]`: whether the piece may be chosen. Of pieces
/// spelled alike the last counts. `lowest`: the lowest score, which unknown characters fall short of. `single`: sums in float32, as
/// sentencepiece has them; equally good ways hang on it.
std::unique_ptr<WordModel> make_unigram(const TokenTable& tokens, std::vector<double> scores,
                                        const std::vector<bool>& usable, Fallback fallback, double lowest, bool single);

/// Greedy longest pieces; those inside a word carry `prefix` ("##"); a word that cannot be covered is unknown.
std::unique_ptr<WordModel> make_wordpiece(const TokenTable& tokens, std::string prefix, int32_t unknown,
                                          size_t longest_word);
/// A word is a token or unknown.
std::unique_ptr<WordModel> make_wordlevel(const TokenTable& tokens, int32_t unknown);
/// Longest matches over the bytes, nothing else (RWKV World).
std::unique_ptr<WordModel> make_longest_match(const TokenTable& tokens, int32_t unknown);

}  // namespace madang
