#include "text/added_tokens.h"

#include <algorithm>

#include "text/unicode.h"

namespace madang {
namespace {

bool is_word(char32_t c) {
  return u_isalnum(static_cast<UChar32>(c)) || is_mark(c) ||
         u_charType(static_cast<UChar32>(c)) == U_CONNECTOR_PUNCTUATION;
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  return (begin == 0 || !is_word(code_point(text, previous(text, begin)).value)) &&
         (end == text.size() || !is_word(code_point(text, end).value));
}

size_t blanks_before(std::string_view text, size_t at) {
  while (at > 0 && is_space(code_point(text, previous(text, at)).value)) at = previous(text, at);
  return at;
}

size_t blanks_behind(std::string_view text, size_t at) {
  while (at < text.size() && is_space(code_point(text, at).value)) at += code_point(text, at).size;
  return at;
}

}  // namespace

void AddedTokens::add(AddedToken token) {
  if (token.content.empty()) return;
  trie_.add(token.content, static_cast<int32_t>(tokens_.size()));
  tokens_.push_back(std::move(token));
}

void AddedTokens::cut(std::string_view text, bool parse_special, std::vector<TextPart>& out) const {
  size_t open = 0;  // where the text not yet handed out begins
  for (size_t at = 0; at < text.size();) {
    if (!trie_.starts(static_cast<uint8_t>(text[at]))) {
      ++at;
      continue;
    }
    Trie::Match match = trie_.longest(text, at);
    if (match.value < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[match.value];
    size_t begin = at, end = at + match.size;
    at = end;  // also a name that is not taken hides the shorter ones inside it
    if (token.special && !parse_special) continue;
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(open, blanks_before(text, begin));
    if (token.rstrip) end = at = blanks_behind(text, end);
    if (begin > open) out.push_back({-1, text.substr(open, begin - open)});
    out.push_back({token.id, text.substr(begin, end - begin)});
    open = end;
  }
  if (open < text.size()) out.push_back({-1, text.substr(open)});
}

}  // namespace madang
