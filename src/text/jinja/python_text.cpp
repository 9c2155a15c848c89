// Python's str over UTF-8. Character properties and case come from ICU, which follows the same Unicode tables.
#include "text/jinja/python_text.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstring>

#include "text/jinja/runtime.h"

namespace madang::jinja {

char32_t next_character(std::string_view s, size_t& at) {
  size_t size = character_size(s[at]);
  char32_t c = static_cast<unsigned char>(s[at]);
  if (size > 1) {
    c &= 0x7F >> size;
    for (size_t i = 1; i < size; ++i) c = c << 6 | (static_cast<unsigned char>(s[at + i]) & 0x3F);
  }
  at += size;
  return c;
}

void append_character(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  constexpr unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(lead[more] | c >> (6 * more));
  while (more--) out += static_cast<char>(0x80 | (c >> (6 * more) & 0x3F));
}

size_t character_count(std::string_view s) {
  return static_cast<size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}
size_t character_count(const String& s) {
  return s.ascii ? s.bytes.size() : character_count(std::string_view(s.bytes));
}

std::u32string characters(std::string_view s) {
  std::u32string out;
  out.reserve(s.size());
  for (size_t at = 0; at < s.size();) out += next_character(s, at);
  return out;
}

std::string encode(std::u32string_view s) {
  std::string out;
  for (char32_t c : s) append_character(out, c);
  return out;
}

size_t byte_of(const String& s, size_t n) {
  if (s.ascii) return n;
  size_t at = 0;
  while (n--) at += character_size(s.bytes[at]);
  return at;
}

std::string character_at(const String& s, size_t n) {
  size_t at = byte_of(s, n);
  return s.bytes.substr(at, character_size(s.bytes[at]));
}

// --- Properties ------------------------------------------------------------------------------------------------

namespace {
UChar32 point(char32_t c) { return static_cast<UChar32>(c); }
bool has_category(char32_t c, uint32_t mask) { return U_MASK(u_charType(point(c))) & mask; }
bool is_cased(char32_t c) { return u_hasBinaryProperty(point(c), UCHAR_CASED); }
}  // namespace

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || (c >= 0x80 && has_category(c, U_GC_Z_MASK));
}
bool is_printable(char32_t c) { return c == ' ' || !has_category(c, U_GC_C_MASK | U_GC_Z_MASK); }
bool is_alpha(char32_t c) { return has_category(c, U_GC_L_MASK); }
bool is_decimal(char32_t c) { return has_category(c, U_GC_ND_MASK); }
bool is_digit(char32_t c) {
  auto type = u_getIntPropertyValue(point(c), UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}
int digit_value(char32_t c) { return is_decimal(c) ? u_charDigitValue(point(c)) : -1; }
bool is_numeric(char32_t c) { return u_getIntPropertyValue(point(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE; }
bool is_identifier_part(char32_t c) {
  return c == '_' || is_alnum(c) || u_hasBinaryProperty(point(c), UCHAR_XID_CONTINUE);
}
bool is_identifier(std::string_view s) {
  for (size_t at = 0; at < s.size();) {
    bool first = at == 0;
    char32_t c = next_character(s, at);
    if (c != '_' && !u_hasBinaryProperty(point(c), first ? UCHAR_XID_START : UCHAR_XID_CONTINUE)) return false;
  }
  return !s.empty();
}
bool is_upper(char32_t c) { return u_isUUppercase(point(c)); }
bool is_lower(char32_t c) { return u_isULowercase(point(c)); }
bool is_title(char32_t c) { return has_category(c, U_GC_LT_MASK); }

// --- Case ------------------------------------------------------------------------------------------------------

namespace {
using icu::UnicodeString;

template <class Change>
std::string changed(std::string_view s, Change change) {
  auto wide = UnicodeString::fromUTF8(icu::StringPiece(s.data(), static_cast<int32_t>(s.size())));
  change(wide);
  std::string out;
  wide.toUTF8String(out);
  return out;
}
}  // namespace

std::string upper(std::string_view s) {
  return changed(s, [](UnicodeString& w) { w.toUpper(icu::Locale::getRoot()); });
}
std::string lower(std::string_view s) {
  return changed(s, [](UnicodeString& w) { w.toLower(icu::Locale::getRoot()); });
}
std::string casefold(std::string_view s) {
  return changed(s, [](UnicodeString& w) { w.foldCase(); });
}

std::string title_character(char32_t c) {
  std::string one, whole;
  append_character(one, c);
  char32_t simple = static_cast<char32_t>(u_totitle(point(c)));
  append_character(whole, simple);
  std::string full = upper(one);
  // Characters whose upper case is several (ß, ligatures) have a title case that is that with a small rest; those
  // with one mapping have a title case of their own (dž).
  return character_count(std::string_view(full)) == 1 ? whole : capitalize(full);
}

std::string swapcase(std::string_view s) {
  std::string out;
  for (size_t at = 0; at < s.size();) {
    size_t from = at;
    char32_t c = next_character(s, at);
    auto one = s.substr(from, at - from);
    out += is_upper(c) ? lower(one) : is_lower(c) ? upper(one) : std::string(one);
  }
  return out;
}

std::string capitalize(std::string_view s) {
  if (s.empty()) return "";
  size_t at = 0;
  char32_t first = next_character(s, at);
  std::string low = lower(s);  // as a whole: a final sigma depends on what precedes it
  size_t rest = lower(s.substr(0, at)).size();
  return title_character(first) + low.substr(std::min(rest, low.size()));
}

std::string title(std::string_view s) {
  std::string out;
  bool inside = false;
  for (size_t at = 0; at < s.size();) {
    size_t from = at;
    char32_t c = next_character(s, at);
    out += inside ? lower(s.substr(from, at - from)) : title_character(c);
    inside = is_cased(c);
  }
  return out;
}

// --- Search ----------------------------------------------------------------------------------------------------

size_t find_bytes(std::string_view s, std::string_view part, size_t from) {
  if (from > s.size()) return std::string_view::npos;
  // memmem is linear (two-way); std::string::find is quadratic on texts a template can choose.
  auto* found = static_cast<const char*>(memmem(s.data() + from, s.size() - from, part.data(), part.size()));
  return found ? static_cast<size_t>(found - s.data()) : std::string_view::npos;
}

size_t find_last_bytes(std::string_view s, std::string_view part) {
  std::string back(s.rbegin(), s.rend()), part_back(part.rbegin(), part.rend());
  size_t at = find_bytes(back, part_back);
  return at == std::string_view::npos ? at : s.size() - at - part.size();
}

size_t count_parts(std::string_view s, std::string_view part) {
  if (part.empty()) return character_count(s) + 1;
  size_t n = 0;
  for (size_t at = 0; (at = find_bytes(s, part, at)) != std::string_view::npos; at += part.size()) ++n;
  return n;
}

// --- Strip and split -------------------------------------------------------------------------------------------

namespace {

// The start of the last character of s.
size_t last_character(std::string_view s) {
  size_t at = s.size() - 1;
  while ((s[at] & 0xC0) == 0x80) --at;
  return at;
}

template <class Strips>
std::string_view strip_if(std::string_view s, Side side, Strips strips) {
  while (side != Side::right && !s.empty()) {
    size_t at = 0;
    if (!strips(next_character(s, at))) break;
    s.remove_prefix(at);
  }
  while (side != Side::left && !s.empty()) {
    size_t from = last_character(s), at = from;
    if (!strips(next_character(s, at))) break;
    s = s.substr(0, from);
  }
  return s;
}

}  // namespace

std::string_view strip_space(std::string_view s, Side side) { return strip_if(s, side, is_space); }

std::string_view strip(std::string_view s, std::string_view set, Side side) {
  auto wide = characters(set);
  std::sort(wide.begin(), wide.end());
  return strip_if(s, side, [&](char32_t c) { return std::binary_search(wide.begin(), wide.end(), c); });
}

std::vector<std::string_view> split(std::string_view s, std::string_view by, size_t most) {
  std::vector<std::string_view> out;
  size_t from = 0;
  while (out.size() < most) {
    size_t at = find_bytes(s, by, from);
    if (at == std::string_view::npos) break;
    out.push_back(s.substr(from, at - from));
    from = at + by.size();
  }
  out.push_back(s.substr(from));
  return out;
}

std::vector<std::string_view> split_right(std::string_view s, std::string_view by, size_t most) {
  std::string back(s.rbegin(), s.rend()), by_back(by.rbegin(), by.rend());
  std::vector<std::string_view> out;
  size_t end = s.size();
  for (auto part : split(back, by_back, most)) {
    out.push_back(s.substr(end - part.size(), part.size()));
    end -= std::min(end, part.size() + by.size());
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_space(std::string_view s, size_t most) {
  std::vector<std::string_view> out;
  s = strip_space(s, Side::left);
  while (!s.empty() && out.size() < most) {
    size_t at = 0, end = 0;
    while (at < s.size() && !is_space(next_character(s, at))) end = at;
    out.push_back(s.substr(0, end));
    s = strip_space(s.substr(end), Side::left);
  }
  if (!s.empty()) out.push_back(s);
  return out;
}

std::vector<std::string_view> split_space_right(std::string_view s, size_t most) {
  std::vector<std::string_view> out;
  s = strip_space(s, Side::right);
  while (!s.empty() && out.size() < most) {
    size_t from = s.size();
    while (from > 0) {
      size_t start = last_character(s.substr(0, from)), at = start;
      if (is_space(next_character(s, at))) break;
      from = start;
    }
    out.push_back(s.substr(from));
    s = strip_space(s.substr(0, from), Side::right);
  }
  if (!s.empty()) out.push_back(s);
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends) {
  std::vector<std::string_view> out;
  size_t from = 0;
  for (size_t at = 0; at < s.size();) {
    size_t end = at;
    char32_t c = next_character(s, at);
    bool breaks = (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!breaks) continue;
    if (c == '\r' && at < s.size() && s[at] == '\n') ++at;
    out.push_back(s.substr(from, (keep_ends ? at : end) - from));
    from = at;
  }
  if (from < s.size()) out.push_back(s.substr(from));
  return out;
}

// --- Making ----------------------------------------------------------------------------------------------------

namespace {
// Bytes of a + n * b, or more than any bound where that has no size.
size_t grown(size_t a, size_t n, size_t b) {
  size_t product, sum;
  if (__builtin_mul_overflow(n, b, &product) || __builtin_add_overflow(a, product, &sum)) return unlimited;
  return sum;
}
}  // namespace

std::string replace(Runtime& rt, std::string_view s, std::string_view old, std::string_view fresh, size_t most) {
  size_t times = std::min(count_parts(s, old), most);
  rt.budget.charge_text(grown(s.size(), times, fresh.size()));
  rt.budget.charge(times);
  std::string out;
  if (old.empty()) {  // between all characters
    for (; times > 0; --times) {
      out += fresh;
      if (s.empty()) return out;
      size_t size = character_size(s[0]);
      out += s.substr(0, size);
      s.remove_prefix(size);
    }
    return out.append(s);
  }
  size_t from = 0;
  while (times--) {
    size_t at = find_bytes(s, old, from);
    out.append(s.substr(from, at - from)).append(fresh);
    from = at + old.size();
  }
  return out.append(s.substr(from));
}

std::string pad(Runtime& rt, std::string_view s, size_t width, std::string_view fill, Side text_at) {
  size_t count = character_count(s);
  size_t missing = width > count ? width - count : 0;
  rt.budget.charge_text(grown(s.size(), missing, fill.size()));
  // Python's centre: the odd blank goes left where the width is odd too.
  size_t left = text_at == Side::left ? 0 : text_at == Side::right ? missing : missing / 2 + (missing & width & 1);
  std::string out;
  for (size_t i = 0; i < left; ++i) out += fill;
  out += s;
  for (size_t i = left; i < missing; ++i) out += fill;
  return out;
}

std::string reversed(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  while (!s.empty()) {
    size_t from = last_character(s);
    out += s.substr(from);
    s = s.substr(0, from);
  }
  return out;
}

std::string escape_html(Runtime& rt, std::string_view s) {
  rt.budget.charge_text(s.size());
  std::string out;
  for (char c : s) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  rt.budget.charge_text(out.size());
  return out;
}

}  // namespace madang::jinja
