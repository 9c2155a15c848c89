// sentencepiece's character map and normalizer. The map's layout: 4 bytes of size, a double array of that size
// (darts-clone's units), then the replacing texts, each ended by a zero byte.
#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <cstring>
#include <memory>

#include "base/error.h"
#include "text/normalize.h"
#include "text/unicode.h"

namespace madang {

CharacterMap::CharacterMap(std::string_view bytes, const std::string& where) {
  uint32_t size = 0;
  if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
  if (bytes.size() < 4 || size > bytes.size() - 4 || size % 4 || size == 0)
    throw Error(Kind::format, say("the character map does not fit its size"))
        .at(where)
        .expected(fmt::format("{}", size))
        .found(fmt::format("{}", bytes.size()));
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data() + 4, size);
  texts_ = bytes.substr(4 + size);
}

CharacterMap::Match CharacterMap::match(std::string_view text, bool first) const {
  auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
  Match best;
  size_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size()) break;
    uint32_t unit = units_[node];
    if ((unit & (1u << 31 | 0xFF)) != byte) break;
    node ^= offset(unit);
    if (!(unit >> 8 & 1)) continue;
    if (node >= units_.size()) break;
    size_t at = units_[node] & ~(1u << 31);
    if (at >= texts_.size()) break;
    size_t end = texts_.find('\0', at);
    best = {i + 1, std::string_view(texts_).substr(at, end == std::string::npos ? end : end - at)};
    if (first) break;
  }
  return best;
}

NormalizeStep precompiled_by_graphemes(std::string_view bytes, const std::string& where) {
  auto map = std::make_shared<const CharacterMap>(bytes, where);
  return [map](std::string text) {
    UErrorCode fault = U_ZERO_ERROR;
    std::unique_ptr<icu::BreakIterator> graphemes(
        icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), fault));
    UText* source = utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &fault);
    if (U_SUCCESS(fault)) graphemes->setText(source, fault);
    if (U_FAILURE(fault)) throw Error(Kind::internal, say("the Unicode library fails: {}", u_errorName(fault)));
    std::string out;
    // The whole grapheme is looked up where it is short, and then a prefix that matches replaces all of it: so do
    // the tokenizers that the files were made with.
    for (int32_t begin = graphemes->first(), end; (end = graphemes->next()) != icu::BreakIterator::DONE; begin = end) {
      std::string_view grapheme = std::string_view(text).substr(begin, end - begin);
      if (auto whole = map->shortest(grapheme); grapheme.size() < 6 && whole.size) {
        out += whole.text;
        continue;
      }
      for (size_t at = 0; at < grapheme.size();) {
        std::string_view one = grapheme.substr(at, code_point(grapheme, at).size);
        auto match = map->shortest(one);
        out += match.size ? match.text : one;
        at += one.size();
      }
    }
    utext_close(source);
    return repair_utf8(out);  // the map is a file's: it may hold anything
  };
}

namespace {

// Blanks at both ends go, and runs of them become one.
std::string without_extra_blanks(const std::string& text) {
  std::string out;
  for (char c : text)
    if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

NormalizeStep sentencepiece(const SentencePieceRules& rules, const std::string& where) {
  std::shared_ptr<const CharacterMap> map;
  if (!rules.character_map.empty()) map = std::make_shared<const CharacterMap>(rules.character_map, where);
  return [map, rules](std::string text) {
    if (map) {
      std::string out;
      for (size_t at = 0; at < text.size();) {
        auto match = map->longest(std::string_view(text).substr(at));
        size_t size = match.size ? match.size : code_point(text, at).size;
        out += match.size ? match.text : std::string_view(text).substr(at, size);
        at += size;
      }
      text = repair_utf8(out);
    }
    if (rules.remove_extra_whitespaces) text = without_extra_blanks(text);
    if (rules.add_dummy_prefix && !text.empty()) text.insert(0, 1, ' ');
    return rules.escape_whitespaces ? replace_all(std::move(text), " ", blank_mark) : text;
  };
}

}  // namespace madang
