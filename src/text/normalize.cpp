#include "text/normalize.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "text/unicode.h"

namespace madang {
namespace {

bool all_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) >= 0x80; });
}

// A step that looks at characters alone: `each` appends what stands in the character's place.
template <class Each>
NormalizeStep by_characters(Each each) {
  return [each](std::string text) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
      CodePoint c = code_point(text, at);
      each(out, c.value);
      at += c.size;
    }
    return out;
  };
}

void append_lower(std::string& out, char32_t c) {
  // U+0130 is the one character whose lower case is two characters without any context.
  if (c == 0x130)
    out += "i\u0307";
  else
    append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
}

bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  if (from.empty() || text.find(from) == std::string::npos) return text;
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  size_t at = 0;
  for (size_t hit; (hit = text.find(from, at)) != std::string::npos; at = hit + from.size())
    out.append(text, at, hit - at).append(to);
  return out.append(text, at);
}

NormalizeStep unicode_form(const std::string& name, const std::string& where, int newest) {
  UErrorCode fault = U_ZERO_ERROR;
  const icu::Normalizer2* form = name == "NFC"    ? icu::Normalizer2::getNFCInstance(fault)
                                 : name == "NFD"  ? icu::Normalizer2::getNFDInstance(fault)
                                 : name == "NFKC" ? icu::Normalizer2::getNFKCInstance(fault)
                                 : name == "NFKD" ? icu::Normalizer2::getNFKDInstance(fault)
                                                  : nullptr;
  if (!form) throw Error(Kind::unsupported, say("unknown Unicode normalization form {}", name)).at(where);
  std::shared_ptr<const icu::UnicodeSet> known;
  std::shared_ptr<const icu::Normalizer2> filtered;
  if (newest > 0) {
    std::string set = fmt::format("[:age={}.0:]", newest);
    known = std::make_shared<icu::UnicodeSet>(icu::UnicodeString::fromUTF8(set), fault);
    filtered = std::make_shared<icu::FilteredNormalizer2>(*form, *known);
  }
  if (U_FAILURE(fault)) throw Error(Kind::internal, say("the Unicode library fails: {}", u_errorName(fault)));
  return [form, known, filtered](std::string text) {
    if (all_ascii(text)) return text;
    UErrorCode trouble = U_ZERO_ERROR;
    icu::StringPiece source(text.data(), static_cast<int32_t>(text.size()));
    if (form->isNormalizedUTF8(source, trouble) && U_SUCCESS(trouble)) return text;
    std::string out;
    icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
    trouble = U_ZERO_ERROR;
    (filtered ? filtered.get() : form)->normalizeUTF8(0, source, sink, nullptr, trouble);
    if (U_FAILURE(trouble)) throw Error(Kind::limit, say("the text is too long to normalize"));
    return out;
  };
}

NormalizeStep lowercase() { return by_characters(append_lower); }

NormalizeStep strip_accents(bool only_nonspacing) {
  // The two kinds come from different tables of the reference, of different age.
  int newest = only_nonspacing ? 8 : tokenizers_unicode;
  return by_characters([=](std::string& out, char32_t c) {
    bool drop = only_nonspacing ? u_charType(static_cast<UChar32>(c)) == U_NON_SPACING_MARK : is_mark(c);
    if (!drop || age_of(c) > newest) append_utf8(out, c);
  });
}

NormalizeStep strip_blanks(bool left, bool right) {
  return [=](std::string text) {
    size_t begin = 0, end = text.size();
    while (left && begin < end && is_space(code_point(text, begin).value)) begin += code_point(text, begin).size;
    while (right && end > begin && is_space(code_point(text, previous(text, end)).value)) end = previous(text, end);
    return text.substr(begin, end - begin);
  };
}

NormalizeStep replace_literal(std::string from, std::string to) {
  return
      [from = std::move(from), to = std::move(to)](std::string text) { return replace_all(std::move(text), from, to); };
}

NormalizeStep replace_pattern(const std::string& expression, std::string to, const std::string& where) {
  auto pattern = std::make_shared<const Pattern>(expression, Dialect::oniguruma, where);
  return [pattern, to = std::move(to)](std::string text) {
    Pattern::Scratch scratch;
    std::string out;
    size_t at = 0;
    for (Pattern::Match m; at < text.size() && (m = pattern->find(text, at, scratch)).found(); at = m.end)
      out.append(text, at, m.begin - at).append(to);
    return out.append(text, at);
  };
}

NormalizeStep prepend(std::string prefix) {
  return [prefix = std::move(prefix)](std::string text) { return text.empty() ? text : prefix + text; };
}

NormalizeStep bert(bool clean, bool chinese, bool accents, bool lower) {
  auto first = by_characters([=](std::string& out, char32_t c) {
    int8_t type = u_charType(static_cast<UChar32>(c));
    bool line = c == '\t' || c == '\n' || c == '\r', blank = line || is_space(c);
    bool control =
        !line && age_of(c) <= 8 && (type == U_CONTROL_CHAR || type == U_FORMAT_CHAR || type == U_PRIVATE_USE_CHAR);
    if (clean && (c == 0 || c == 0xFFFD || control)) return;
    if (clean && blank)
      out += ' ';
    else if (chinese && is_chinese(c))
      (append_utf8(out += ' ', c), out += ' ');
    else
      append_utf8(out, c);
  });
  auto decompose = unicode_form("NFD", "", tokenizers_unicode);
  auto strip = strip_accents(true);
  auto small = lowercase();
  return [=](std::string text) {
    text = first(std::move(text));
    if (accents) text = strip(decompose(std::move(text)));
    return lower ? small(std::move(text)) : text;
  };
}

NormalizeStep nmt() {
  return by_characters([](std::string& out, char32_t c) {
    bool dropped = (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                 c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    if (blank)
      out += ' ';
    else if (!dropped)
      append_utf8(out, c);
  });
}

NormalizeStep byte_letters() {
  return [](std::string text) { return letters_of_bytes(text); };
}

}  // namespace madang
