// Python's % and str.format. Bytes, custom __format__ and locale-aware numbers ('n') beyond 'd' and 'g' do not exist
// here.
#include "text/jinja/format.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

/// [[fill]align][sign][#][0][width][grouping][.precision][type]
struct Spec {
  std::string fill = " ";
  char align = 0, sign = '-', grouping = 0, type = 0;
  bool alternate = false, zero = false;
  size_t width = 0;
  std::optional<int> precision;
};

[[noreturn]] void refuse_form(std::string_view form) { refuse(say("not a valid format: '{}'", form)); }

// Digits at `at`; 0 where there are none. Widths beyond a million are nobody's layout.
size_t read_number(std::string_view form, size_t& at) {
  size_t n = 0;
  for (; at < form.size() && form[at] >= '0' && form[at] <= '9'; ++at) {
    n = n * 10 + static_cast<size_t>(form[at] - '0');
    if (n > 1'000'000) throw Error(Kind::limit, say("a width in a format is larger than {}", 1'000'000));
  }
  return n;
}

bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

Spec parse_spec(std::string_view text) {
  Spec spec;
  size_t at = 0;
  auto accept = [&](std::string_view set) { return at < text.size() && is_one_of(text[at], set) ? text[at++] : '\0'; };
  size_t after_fill = text.empty() ? 0 : character_size(text[0]);
  if (after_fill < text.size() && is_one_of(text[after_fill], "<>=^")) {
    spec.fill = text.substr(0, after_fill);
    at = after_fill;
  }
  spec.align = accept("<>=^");
  if (char sign = accept("+- ")) spec.sign = sign;
  accept("z");
  spec.alternate = accept("#");
  if (accept("0")) {
    spec.zero = true;
    if (!spec.align) spec.fill = "0", spec.align = '=';
  }
  spec.width = read_number(text, at);
  spec.grouping = accept(",_");
  if (accept(".")) {
    size_t from = at;
    spec.precision = static_cast<int>(read_number(text, at));
    if (from == at) refuse_form(text);
  }
  spec.type = accept("bcdeEfFgGnosxX%");
  if (at != text.size()) refuse_form(text);
  return spec;
}

// The character of a code point given as an integer: %c, {:c}.
char32_t character_of(const Value& v) {
  int64_t code = to_index(v);
  if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) refuse(say("not a character code: {}", code));
  return static_cast<char32_t>(code);
}

// '^' puts the odd fill to the right always, unlike str.center.
std::string pad_center(Runtime& rt, std::string_view s, size_t width, std::string_view fill) {
  size_t count = character_count(s);
  size_t left = width > count ? (width - count) / 2 : 0;
  return pad(rt, pad(rt, s, count + left, fill, Side::right), width, fill, Side::left);
}

std::string printed(const char* form, int precision, double d) {
  std::string out(static_cast<size_t>(std::snprintf(nullptr, 0, form, precision, d)) + 1, '\0');
  out.resize(static_cast<size_t>(std::snprintf(out.data(), out.size(), form, precision, d)));
  return out;
}

// The digits of |d|, without sign.
std::string float_digits(double d, char type, std::optional<int> precision, bool alternate) {
  bool upper_case = is_one_of(type, "EFG");
  if (!std::isfinite(d)) {
    std::string word = std::isnan(d) ? "nan" : "inf";
    return (upper_case ? upper(word) : word) + (type == '%' ? "%" : "");
  }
  d = std::fabs(d);
  if (type == 0 && !precision) return repr_of_float(d);
  if (type == '%') return printed("%.*f", precision.value_or(6), d * 100) + "%";
  std::string form = alternate ? "%#.*" : "%.*";
  std::string out = printed((form + (type == 0 || type == 'n' ? 'g' : type)).c_str(), precision.value_or(6), d);
  if (type == 0 && out.find_first_of(".e") == out.npos) out += ".0";
  return out;
}

std::string integer_digits(const Value& v, const Spec& spec) {
  mpz_class n = abs(big_of(v));
  switch (spec.type) {
    case 'b':
      return (spec.alternate ? "0b" : "") + n.get_str(2);
    case 'o':
      return (spec.alternate ? "0o" : "") + n.get_str(8);
    case 'x':
      return (spec.alternate ? "0x" : "") + n.get_str(16);
    case 'X':
      return (spec.alternate ? "0X" : "") + upper(n.get_str(16));
    default:
      return digits_of(make_integer(std::move(n)));
  }
}

std::string grouped(std::string_view digits, char separator, size_t every) {
  size_t whole = 0;
  while (whole < digits.size() && std::isxdigit(static_cast<unsigned char>(digits[whole])) && digits[whole] != 'e')
    ++whole;
  std::string out;
  for (size_t i = 0; i < whole; ++i) {
    if (i && (whole - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out.append(digits.substr(whole));
}

// Sign, grouping and padding, alike for all numbers.
std::string laid_out(Runtime& rt, std::string digits, bool negative, const Spec& spec) {
  rt.budget.charge_text(spec.width * 4 + digits.size() * 2);
  std::string sign = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  if (spec.grouping) {
    size_t every = is_one_of(spec.type, "boxX") ? 4 : 3;
    std::string plain = std::move(digits);
    digits = grouped(plain, spec.grouping, every);
    while (spec.zero && spec.align == '=' && sign.size() + digits.size() < spec.width) {
      plain.insert(0, 1, '0');
      rt.budget.charge(1 + plain.size() / 16);
      digits = grouped(plain, spec.grouping, every);
    }
  }
  if (spec.align == '=') {
    size_t prefix = spec.alternate && digits.size() > 1 && std::isalpha(static_cast<unsigned char>(digits[1])) ? 2 : 0;
    sign += digits.substr(0, prefix);
    size_t width = spec.width > sign.size() ? spec.width - sign.size() : 0;
    return sign + pad(rt, digits.substr(prefix), width, spec.fill, Side::right);
  }
  Side side = spec.align == '<' ? Side::left : spec.align == '^' ? Side::both : Side::right;
  return side == Side::both ? pad_center(rt, sign + digits, spec.width, spec.fill)
                            : pad(rt, sign + digits, spec.width, spec.fill, side);
}

std::string format_number(Runtime& rt, const Value& v, const Spec& spec) {
  if (v.is_int() && is_one_of(spec.type ? spec.type : 'd', "bdnoxX")) {
    if (spec.precision) refuse(say("an integer's format takes no precision"));
    return laid_out(rt, integer_digits(v, spec), big_of(v) < 0, spec);
  }
  if (v.is_int() && spec.type == 'c') {
    std::string one;
    append_character(one, character_of(v));
    return laid_out(rt, one, false, spec);
  }
  if (spec.type && !is_one_of(spec.type, "eEfFgGn%")) refuse_form(std::string(1, spec.type));
  double d = to_double(v);
  return laid_out(rt, float_digits(d, spec.type, spec.precision, spec.alternate), std::signbit(d) && !std::isnan(d),
                  spec);
}

std::string format_text(Runtime& rt, std::string_view s, const Spec& spec) {
  if ((spec.type && spec.type != 's') || spec.align == '=' || spec.sign != '-' || spec.grouping || spec.alternate)
    refuse(say("this format is for numbers, not for texts"));
  std::string cut(s);
  if (spec.precision && character_count(s) > static_cast<size_t>(*spec.precision))
    cut.resize(byte_of(String(cut), static_cast<size_t>(*spec.precision)));
  if (spec.align == '^') return pad_center(rt, cut, spec.width, spec.fill);
  return pad(rt, cut, spec.width, spec.fill, spec.align == '>' ? Side::right : Side::left);
}

}  // namespace

std::string format_value(Runtime& rt, const Value& v, std::string_view text) {
  if (text.empty()) return str_of(rt, v);
  if (v.string()) {
    auto spec = parse_spec(text);
    if (spec.zero && spec.align == '=') spec.align = '<';
    return format_text(rt, text_of(v), spec);
  }
  if (v.is_number()) return format_number(rt, v, parse_spec(text));
  refuse(say("a value of type '{}' takes no format", type_name(v)));
}

// --- str.format ------------------------------------------------------------------------------------------------

namespace {

class BraceForm {
 public:
  BraceForm(Runtime& rt, const Arguments& arguments, bool markup) : rt_(rt), arguments_(arguments), markup_(markup) {}

  std::string fill(std::string_view form, int nesting = 0) {
    if (nesting > 2) refuse(say("a format nests too deeply"));
    std::string out;
    for (size_t at = 0; at < form.size();) {
      char c = form[at];
      if (c != '{' && c != '}') {
        out += c;
        ++at;
      } else if (at + 1 < form.size() && form[at + 1] == c && nesting == 0) {
        out += c;
        at += 2;
      } else if (c == '}') {
        refuse_form(form);
      } else {
        size_t end = closing(form, at);
        out += field(form.substr(at + 1, end - at - 1), nesting);
        rt_.budget.charge_text(out.size() / 8);
        at = end + 1;
      }
    }
    return out;
  }

 private:
  static size_t closing(std::string_view form, size_t at) {
    int open = 0;
    for (size_t i = at; i < form.size(); ++i) {
      if (form[i] == '{') ++open;
      if (form[i] == '}' && --open == 0) return i;
    }
    refuse_form(form);
  }

  // name.attribute[key]!conversion:spec
  std::string field(std::string_view text, int nesting) {
    size_t end = 0;
    for (bool inside = false; end < text.size() && (inside || (text[end] != ':' && text[end] != '!')); ++end)
      inside = text[end] == '[' || (inside && text[end] != ']');
    Value v = reach(text.substr(0, end));
    std::string_view rest = text.substr(end);
    if (rest.starts_with("!")) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':') || !is_one_of(rest[1], "sra")) refuse_form(text);
      v = rest[1] == 's' ? soft_string(rt_, v) : Value(repr_of(rt_, v));
      rest.remove_prefix(2);
    }
    std::string spec = rest.empty() ? "" : fill(rest.substr(1), nesting + 1);
    if (markup_ && !(v.string() && v.string()->markup)) return escape_html(rt_, format_value(rt_, v, spec));
    return format_value(rt_, v, spec);
  }

  Value reach(std::string_view path) {
    size_t at = std::min(path.find_first_of(".["), path.size());
    Value v = first(path.substr(0, at));
    while (at < path.size()) {
      bool bracket = path[at++] == '[';
      size_t end = bracket ? path.find(']', at) : std::min(path.find_first_of(".[", at), path.size());
      if (end == path.npos || end == at) refuse_form(path);
      std::string name(path.substr(at, end - at));
      at = end + (bracket ? 1 : 0);
      size_t digits = 0;
      size_t number = read_number(name, digits);
      if (!bracket)
        v = get_attribute(rt_, v, name);
      else
        v = get_item(rt_, v, digits == name.size() ? Value(number) : Value(name));
    }
    return v;
  }

  Value first(std::string_view name) {
    size_t digits = 0, index = read_number(name, digits);
    if (digits == name.size()) {
      if (numbering_ && *numbering_ == name.empty()) refuse(say("a format numbers its arguments in two ways"));
      numbering_ = !name.empty();
    }
    if (name.empty()) index = next_++;
    if (digits == name.size()) {
      if (index >= arguments_.positional.size())
        refuse(say("a format asks for argument {}, which is not given", index));
      return arguments_.positional[index];
    }
    for (auto& [given, value] : arguments_.keyword)
      if (given == name) return value;
    refuse(say("a format asks for argument {}, which is not given", name));
  }

  Runtime& rt_;
  const Arguments& arguments_;
  bool markup_;
  size_t next_ = 0;
  std::optional<bool> numbering_;  // whether fields are numbered by hand
};

}  // namespace

Value brace_format(Runtime& rt, const String& form, const Arguments& arguments) {
  std::string out = BraceForm(rt, arguments, form.markup).fill(form.bytes);
  rt.budget.charge_text(out.size());
  return Value(std::move(out), form.markup);
}

// --- % ---------------------------------------------------------------------------------------------------------

namespace {

class PercentForm {
 public:
  PercentForm(Runtime& rt, const Value& arguments, bool markup) : rt_(rt), arguments_(arguments), markup_(markup) {}

  std::string fill(std::string_view form) {
    std::string out;
    for (size_t at = 0; at < form.size();) {
      if (form[at] != '%') {
        out += form[at++];
        continue;
      }
      out += directive(form, ++at);
      rt_.budget.charge_text(out.size() / 8);
    }
    // A list or dict given whole need not be used; a tuple or a single value must.
    bool left = arguments_.is_tuple() ? used_ < arguments_.sequence()->items.size()
                                      : used_ == 0 && !arguments_.dict() && !arguments_.is_list();
    if (left) refuse(say("not all arguments of a format are used"));
    return out;
  }

 private:
  const Value& next() {
    bool tuple = arguments_.is_tuple();
    if (used_ >= (tuple ? arguments_.sequence()->items.size() : 1)) refuse(say("a format lacks arguments"));
    return tuple ? arguments_.sequence()->items[used_++] : (++used_, arguments_);
  }

  std::string directive(std::string_view form, size_t& at) {
    std::optional<Value> keyed;
    if (at < form.size() && form[at] == '(') keyed = by_key(form, at);
    Spec spec;
    spec.align = '>';
    bool zero = false, left = false;
    for (; at < form.size() && is_one_of(form[at], "#0- +"); ++at) {
      zero |= form[at] == '0';
      left |= form[at] == '-';
      spec.alternate |= form[at] == '#';
      if (form[at] == '+' || (form[at] == ' ' && spec.sign != '+')) spec.sign = form[at];
    }
    spec.width = star_or_number(form, at, left);
    if (at < form.size() && form[at] == '.') {
      bool ignored = false;
      spec.precision = static_cast<int>(star_or_number(form, ++at, ignored));
    }
    while (at < form.size() && is_one_of(form[at], "hlL")) ++at;
    if (at >= form.size()) refuse_form(form);
    spec.type = form[at++];
    if (spec.type == '%') return "%";
    if (left)
      spec.align = '<';
    else if (zero && !is_one_of(spec.type, "crsa"))
      spec.align = '=', spec.fill = "0", spec.zero = true;
    return converted(keyed ? *keyed : next(), spec);
  }

  size_t star_or_number(std::string_view form, size_t& at, bool& left) {
    if (at >= form.size() || form[at] != '*') return read_number(form, at);
    ++at;
    int64_t n = to_index(next());
    if (std::abs(n) > 1'000'000) throw Error(Kind::limit, say("a width in a format is larger than {}", 1'000'000));
    left |= n < 0;
    return static_cast<size_t>(std::abs(n));
  }

  Value by_key(std::string_view form, size_t& at) {
    size_t from = ++at;
    for (int open = 1; at < form.size(); ++at) {
      if (form[at] == '(') ++open;
      if (form[at] == ')' && --open == 0) break;
    }
    if (at >= form.size()) refuse_form(form);
    auto name = form.substr(from, at++ - from);
    const Value* found = arguments_.dict() ? find(rt_, *arguments_.dict(), name) : nullptr;
    if (!found) refuse(say("a format asks for argument {}, which is not given", name));
    return *found;
  }

  std::string converted(const Value& v, Spec spec) {
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a': {
        std::string s = spec.type == 's' ? str_of(rt_, v) : repr_of(rt_, v);
        if (markup_ && !(v.string() && v.string()->markup)) s = escape_html(rt_, s);
        spec.type = 's', spec.sign = '-', spec.alternate = false;
        return format_text(rt_, s, spec);
      }
      case 'c': {
        std::string one;
        if (v.string() && *length(rt_, v) == 1)
          one = text_of(v);
        else
          append_character(one, character_of(v));
        return pad(rt_, one, spec.width, " ", spec.align == '<' ? Side::left : Side::right);
      }
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X':
        return integer(v, spec);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!v.is_number()) refuse(say("a number is needed here, not a value of type '{}'", type_name(v)));
        return format_number(rt_, v.is_int() ? Value(to_double(v)) : v, spec);
      default:
        refuse_form(std::string(1, spec.type));
    }
  }

  std::string integer(Value v, Spec spec) {
    bool decimal = is_one_of(spec.type, "diu");
    if (decimal && v.as<double>()) v = truncated(*v.as<double>());
    if (!v.is_int()) refuse(say("a number is needed here, not a value of type '{}'", type_name(v)));
    if (decimal) spec.type = 'd', spec.alternate = false;
    std::string digits = integer_digits(v, spec);
    if (spec.precision && digits.size() < static_cast<size_t>(*spec.precision))
      digits.insert(0, static_cast<size_t>(*spec.precision) - digits.size(), '0');
    return laid_out(rt_, digits, big_of(v) < 0, spec);
  }

  Runtime& rt_;
  const Value& arguments_;
  bool markup_;
  size_t used_ = 0;
};

}  // namespace

Value percent_format(Runtime& rt, const String& form, const Value& arguments) {
  std::string out = PercentForm(rt, arguments, form.markup).fill(form.bytes);
  rt.budget.charge_text(out.size());
  return Value(std::move(out), form.markup);
}

}  // namespace madang::jinja
