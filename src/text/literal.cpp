#include "text/literal.h"

#include "base/error.h"
#include "text/unicode.h"

namespace madang {
namespace {

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

// `digits` hexadecimal digits at `at`, or -1.
int64_t hex_number(std::string_view s, size_t at, size_t digits) {
  int64_t value = 0;
  if (at + digits > s.size()) return -1;
  for (size_t i = at; i < at + digits; ++i) {
    if (hex_digit(s[i]) < 0) return -1;
    value = value * 16 + hex_digit(s[i]);
  }
  return value;
}

char simple_escape(char c) {
  constexpr std::string_view from = "nrtabfv\\'\"0", to = std::string_view("\n\r\t\a\b\f\v\\'\"\0", 11);
  size_t at = from.find(c);
  return at == from.npos ? '\x7F' : to[at];
}

}  // namespace

std::string unescape(std::string_view s, bool text) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\' || i + 1 == s.size()) {
      out += s[i];
      continue;
    }
    char kind = s[++i];
    size_t digits = kind == 'x' ? 2 : kind == 'u' && text ? 4 : kind == 'U' && text ? 8 : 0;
    int64_t value = digits ? hex_number(s, i + 1, digits) : -1;
    bool is_character = value >= 0 && value <= 0x10FFFF && !(value >= 0xD800 && value <= 0xDFFF);
    if (is_character) {
      if (text)
        append_utf8(out, static_cast<char32_t>(value));
      else
        out += static_cast<char>(value);
      i += digits;
    } else if (char plain = simple_escape(kind); plain != '\x7F') {
      out += plain;
    } else {
      (out += '\\') += kind;
    }
  }
  return out;
}

std::string bytes_literal(std::string_view bytes) {
  const char quote = bytes.find('\'') != bytes.npos && bytes.find('"') == bytes.npos ? '"' : '\'';
  std::string out = {'b', quote};
  for (const char c : bytes) {
    const std::string_view named = "\t\n\r\\";
    if (c == quote || named.find(c) != named.npos)
      (out += '\\') += c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
    else if (c >= ' ' && c <= '~')
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out += quote;
}

std::string parse_literal(std::string_view s, const std::string& where) {
  bool text = !s.starts_with('b');
  std::string_view quoted = text ? s : s.substr(1);
  if (quoted.size() < 2 || (quoted[0] != '\'' && quoted[0] != '"') || quoted.back() != quoted[0])
    throw Error(Kind::format, say("not a string literal")).at(where).found(std::string(s.substr(0, 80)));
  return unescape(quoted.substr(1, quoted.size() - 2), text);
}

}  // namespace madang
