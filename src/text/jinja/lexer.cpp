// The lexer: one state for text, one for each kind of tag. It follows jinja2.lexer rule by rule; line statements and
// line comments are not part of the dialect that models ship.
#include "text/jinja/lexer.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

using Type = Token::Type;

bool is_digit_of(char c, int base) {
  int value = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
  return value < base;
}

bool is_valid_utf8(std::string_view s) {
  for (size_t at = 0; at < s.size();) {
    auto lead = static_cast<unsigned char>(s[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    size_t size = character_size(s[at]);
    if (lead < 0xC2 || lead > 0xF4 || at + size > s.size()) return false;
    for (size_t i = 1; i < size; ++i)
      if ((s[at + i] & 0xC0) != 0x80) return false;
    char32_t c = next_character(s, at);
    if ((size == 3 && c < 0x800) || (size == 4 && (c < 0x10000 || c > 0x10FFFF)) || (c >= 0xD800 && c < 0xE000))
      return false;
  }
  return true;
}

// \r\n and \r become \n; of the newlines at the very end, one goes.
std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name) : name_(name) {
    if (!is_valid_utf8(source)) fail(say("the template is not valid UTF-8"));
    text_ = normalized(source);
  }

  std::vector<Token> run() {
    while (at_ < text_.size()) root();
    add(Type::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(Text what) const {
    throw Error(Kind::format, std::move(what)).at(place_in_template(name_, line_));
  }

  void add(Type type, std::string text) { tokens_.push_back({type, line_, std::move(text)}); }

  std::string_view rest() const { return std::string_view(text_).substr(at_); }

  // Moves to `to`, counting lines; remembers whether a line begins there.
  void advance(size_t to) {
    line_ += static_cast<int>(
        std::count(text_.begin() + static_cast<ptrdiff_t>(at_), text_.begin() + static_cast<ptrdiff_t>(to), '\n'));
    if (to > at_) line_starting_ = text_[to - 1] == '\n';
    at_ = to;
  }

  size_t after_space(size_t from) const {
    return from + (text_.size() - from - strip_space(std::string_view(text_).substr(from), Side::left).size());
  }

  // --- Text ----------------------------------------------------------------------------------------------------

  void root() {
    size_t tag = at_;
    while ((tag = text_.find('{', tag)) != std::string::npos)
      if (tag + 1 < text_.size() && (text_[tag + 1] == '%' || text_[tag + 1] == '{' || text_[tag + 1] == '#'))
        break;
      else
        ++tag;
    if (tag == std::string::npos) {
      add(Type::data, std::string(rest()));
      advance(text_.size());
      return;
    }
    char kind = text_[tag + 1], sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
    bool signed_tag = sign == '-' || sign == '+';
    add_data(tag, signed_tag ? sign : '\0', kind != '{');
    size_t raw = kind == '%' ? raw_tag(tag + 2 + signed_tag, "raw", false) : 0;
    advance(raw ? raw : tag + 2 + signed_tag);
    if (raw) return raw_block();
    if (kind == '#') return comment();
    add(kind == '{' ? Type::variable_begin : Type::block_begin, "");
    while (!end_of_tag(kind == '{')) word();
  }

  // The text before a tag, its white space cut as the tag's sign says.
  void add_data(size_t end, char sign, bool lstrip) {
    std::string_view data = std::string_view(text_).substr(at_, end - at_);
    if (sign == '-') {
      data = strip_space(data, Side::right);
    } else if (sign != '+' && lstrip) {
      size_t newline = data.rfind('\n');
      size_t from = newline == data.npos ? 0 : newline + 1;
      bool own_line = newline != data.npos || line_starting_;
      if (own_line && strip_space(data.substr(from)).empty()) data = data.substr(0, from);
    }
    if (!data.empty()) add(Type::data, std::string(data));
    advance(end);
  }

  // The end of `word %}` beginning at `from`, white space allowed around, or 0. Behind endraw one newline goes.
  size_t raw_tag(size_t from, std::string_view word, bool trims) const {
    from = after_space(from);
    if (!std::string_view(text_).substr(from).starts_with(word)) return 0;
    std::string_view tail = std::string_view(text_).substr(from = after_space(from + word.size()));
    if (tail.starts_with("-%}")) return after_space(from + 3);
    if (trims && tail.starts_with("+%}")) return from + 3;
    if (!tail.starts_with("%}")) return 0;
    return from + 2 + (trims && tail.substr(2).starts_with("\n"));
  }

  void raw_block() {
    for (size_t tag = at_; (tag = text_.find("{%", tag)) != std::string::npos; tag += 2) {
      char sign = tag + 2 < text_.size() ? text_[tag + 2] : '\0';
      bool signed_tag = sign == '-' || sign == '+';
      size_t end = raw_tag(tag + 2 + signed_tag, "endraw", true);
      if (!end) continue;
      add_data(tag, signed_tag ? sign : '\0', true);
      return advance(end);
    }
    if (at_ < text_.size()) fail(say("a raw block has no end"));
  }

  void comment() {
    size_t end = text_.find("#}", at_);
    if (at_ == text_.size()) return;  // as Jinja has it: nothing to complain about behind a last {#
    if (end == std::string::npos) fail(say("a comment has no end"));
    char sign = end > at_ ? text_[end - 1] : '\0';
    size_t after = end + 2;
    if (sign == '-')
      after = after_space(after);
    else if (sign != '+' && after < text_.size() && text_[after] == '\n')
      ++after;
    advance(after);
  }

  // --- Inside a tag --------------------------------------------------------------------------------------------

  bool end_of_tag(bool variable) {
    std::string_view close = variable ? "}}" : "%}";
    if (at_ >= text_.size()) return true;  // the parser tells what is missing
    if (!open_.empty()) return false;
    size_t after = 0;
    if (rest().starts_with('-') && rest().substr(1).starts_with(close))
      after = after_space(at_ + 3);
    else if (!variable && rest().starts_with("+%}"))
      after = at_ + 3;
    else if (rest().starts_with(close))
      after = at_ + 2 + (!variable && rest().substr(2).starts_with('\n'));
    if (!after) return false;
    add(variable ? Type::variable_end : Type::block_end, "");
    advance(after);
    return true;
  }

  void word() {
    size_t space = after_space(at_);
    if (space > at_) return advance(space);
    char c = text_[at_];
    if (c >= '0' && c <= '9') return number();
    if (c == '"' || c == '\'') return string();
    size_t end = at_;
    for (size_t next = end; next < text_.size() && is_identifier_part(next_character(text_, next)); end = next) {
    }
    if (end == at_) return operation();
    std::string name = text_.substr(at_, end - at_);
    if (!is_identifier(name)) fail(say("not a valid name: '{}'", name));
    add(Type::name, std::move(name));
    advance(end);
  }

  // The end of digits of a base from `from`, single underscores between them.
  size_t digits(size_t from, int base) const {
    while (from < text_.size()) {
      if (is_digit_of(text_[from], base))
        ++from;
      else if (text_[from] == '_' && from + 1 < text_.size() && is_digit_of(text_[from + 1], base))
        from += 2;
      else
        break;
    }
    return from;
  }

  size_t end_of_real() const {                       // 0: it is not one
    if (at_ > 0 && text_[at_ - 1] == '.') return 0;  // l.0.1 are two indices
    size_t whole = digits(at_, 10), end = whole;
    if (end + 1 < text_.size() && text_[end] == '.' && is_digit_of(text_[end + 1], 10)) end = digits(end + 1, 10);
    if (end < text_.size() && (text_[end] | 32) == 'e') {
      size_t power = end + 1;
      if (power < text_.size() && (text_[power] == '+' || text_[power] == '-')) ++power;
      if (power < text_.size() && is_digit_of(text_[power], 10)) end = digits(power, 10);
    }
    return end == whole ? 0 : end;
  }

  void number() {
    size_t end = end_of_real();
    bool real = end;
    if (!real) {
      char mark = at_ + 1 < text_.size() ? static_cast<char>(text_[at_ + 1] | 32) : '\0';
      int base = text_[at_] != '0' ? 10 : mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 1;
      size_t from = base == 10 || base == 1 ? at_ : at_ + 2;
      end = digits(from, base);
      if (end == from) end = at_ + 1;
    }
    std::string plain = text_.substr(at_, end - at_);
    plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
    add(real ? Type::real : Type::integer, std::move(plain));
    advance(end);
  }

  void operation() {
    static constexpr std::string_view two[] = {"//", "**", "==", "!=", ">=", "<="};
    auto found = std::find_if(std::begin(two), std::end(two), [&](auto s) { return rest().starts_with(s); });
    std::string symbol(found != std::end(two) ? *found : rest().substr(0, character_size(text_[at_])));
    if (symbol.size() == 1 && std::string_view("+-/*%~[](){}=<>.:|,;").find(symbol) == std::string_view::npos)
      fail(say("unexpected character '{}'", symbol));
    if (symbol.size() != 1 && found == std::end(two)) fail(say("unexpected character '{}'", symbol));
    char c = symbol[0];
    if (c == '{' || c == '(' || c == '[') open_ += c == '{' ? '}' : c == '(' ? ')' : ']';
    if (c == '}' || c == ')' || c == ']') {
      if (open_.empty() || open_.back() != c) fail(say("unexpected character '{}'", symbol));
      open_.pop_back();
    }
    add(Type::op, std::move(symbol));
    advance(at_ + tokens_.back().text.size());
  }

  // --- Strings -------------------------------------------------------------------------------------------------

  void string() {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != text_[at_]) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) fail(say("a text has no closing quote"));
    add(Type::string, unescaped(std::string_view(text_).substr(at_ + 1, end - at_ - 1)));
    advance(end + 1);
  }

  std::string unescaped(std::string_view s) {
    std::string out;
    for (size_t at = 0; at < s.size();) {
      if (s[at] != '\\')
        out += s[at++];
      else
        escape(s, ++at, out);
    }
    return out;
  }

  // The escape behind a backslash at `at`, as Python's unicode_escape codec reads it.
  void escape(std::string_view s, size_t& at, std::string& out) {
    static constexpr std::string_view letters = "\\'\"abfnrtv", meanings = "\\'\"\a\b\f\n\r\t\v";
    size_t from = at;
    char32_t c = next_character(s, at);
    if (c == '\n') return;
    if (c >= 0x80) {  // the codec sees the character already escaped, and takes the two backslashes for one
      const char* form = c < 0x100 ? "\\x{:02x}" : c < 0x10000 ? "\\u{:04x}" : "\\U{:08x}";
      out += fmt::format(fmt::runtime(form), static_cast<uint32_t>(c));
    } else if (size_t i = letters.find(static_cast<char>(c)); i != letters.npos) {
      out += meanings[i];
    } else if (c >= '0' && c <= '7') {
      char32_t code = 0;
      for (at = from; at < s.size() && at < from + 3 && s[at] >= '0' && s[at] <= '7'; ++at)
        code = code * 8 + static_cast<char32_t>(s[at] - '0');
      append_character(out, code);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append_character(out, hexadecimal(s, at, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c == 'N') {
      append_character(out, named(s, at));
    } else {
      (out += '\\') += static_cast<char>(c);
    }
  }

  char32_t hexadecimal(std::string_view s, size_t& at, size_t count) {
    uint32_t code = 0;
    auto [end, fault] = std::from_chars(s.data() + at, s.data() + std::min(s.size(), at + count), code, 16);
    bool whole = fault == std::errc() && end == s.data() + at + count;
    if (!whole || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail(say("not a valid escape in a text"));
    at += count;
    return code;
  }

  char32_t named(std::string_view s, size_t& at) {
    size_t end = at < s.size() && s[at] == '{' ? s.find('}', at) : s.npos;
    if (end == s.npos) fail(say("not a valid escape in a text"));
    std::string name(s.substr(at + 1, end - at - 1));
    UErrorCode fault = U_ZERO_ERROR;
    UChar32 code = u_charFromName(U_EXTENDED_CHAR_NAME, name.c_str(), &fault);
    if (U_FAILURE(fault)) fail(say("not a valid escape in a text"));
    at = end + 1;
    return static_cast<char32_t>(code);
  }

  const std::string& name_;
  std::string text_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::string open_;  // closing brackets still owed: a tag cannot end before them
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& template_name) {
  return Lexer(source, template_name).run();
}

std::string place_in_template(const std::string& template_name, int line) {
  return template_name.empty() ? fmt::format("line {}", line) : fmt::format("{}, line {}", template_name, line);
}

}  // namespace madang::jinja
