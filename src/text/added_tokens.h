// Tokens that are cut out of the text before the model sees it: special tokens, and those added to a vocabulary.
// The longest one at the leftmost place wins (as in Hugging Face's tokenizers). Refuses nothing.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/trie.h"

namespace madang {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = true;                  ///< plain text unless special tokens are asked for
  bool normalized = false;              ///< looked for in the normalized text
  bool single_word = false;             ///< only where no word character touches it
  bool lstrip = false, rstrip = false;  ///< swallows the blanks beside it
};

/// A part of the text: a token, or (id -1) text between tokens.
struct TextPart {
  int32_t id;
  std::string_view text;
};

class AddedTokens {
 public:
  void add(AddedToken token);
  bool empty() const { return tokens_.empty(); }
  /// Appends the parts that cover `text`; empty ones are left out.
  void cut(std::string_view text, bool parse_special, std::vector<TextPart>& out) const;
  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  Trie trie_;  // value: place in tokens_
  std::vector<AddedToken> tokens_;
};

}  // namespace madang
