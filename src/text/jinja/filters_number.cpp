// Filters that make or change numbers. Jinja's documentation: "List of Builtin Filters".
#include <charconv>
#include <cmath>

#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/tables.h"

namespace madang::jinja {
namespace {

// What int() and float() read: white space around taken off, digits of any script as ASCII, single underscores
// between digits taken out; nothing where an underscore stands elsewhere.
std::optional<std::string> numeral(std::string_view text) {
  std::string digits, out;
  text = strip_space(text);
  for (size_t at = 0; at < text.size();) {
    size_t from = at;
    int digit = digit_value(next_character(text, at));
    if (digit >= 0)
      digits += static_cast<char>('0' + digit);
    else
      digits += text.substr(from, at - from);
  }
  auto counts = [&](size_t i) { return i < digits.size() && std::isalnum(static_cast<unsigned char>(digits[i])); };
  for (size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] != '_')
      out += digits[i];
    else if (i == 0 || !counts(i - 1) || !counts(i + 1))
      return {};
  }
  return out;
}

// int(text, base) of Python, or nothing.
std::optional<Value> parse_integer(std::string_view text, int64_t base) {
  auto plain = numeral(text);
  if (!plain || base == 1 || base < 0 || base > 36 || plain->size() > 4300) return {};
  std::string digits = *plain;
  bool negative = digits.starts_with("-");
  if (negative || digits.starts_with("+")) digits.erase(0, 1);
  auto prefixed = [&](char mark, int of) {
    return (base == of || base == 0) && digits.size() > 2 && digits[0] == '0' && (digits[1] | 32) == mark;
  };
  int64_t actual = prefixed('x', 16) ? 16 : prefixed('o', 8) ? 8 : prefixed('b', 2) ? 2 : 0;
  if (actual)
    digits.erase(0, 2);
  else
    actual = base == 0 ? 10 : base;
  if (digits.empty() || digits[0] == '-' || digits[0] == '+' || digits.find(' ') != std::string::npos) return {};
  mpz_class n;
  if (n.set_str(digits, static_cast<int>(actual)) != 0) return {};
  return make_integer(negative ? mpz_class(-n) : n);
}

// float(v) of Python, or nothing.
std::optional<double> parse_float(const Value& v) {
  require_defined(v);
  if (v.is_number()) return to_double(v);
  if (!v.string()) return {};
  auto plain = numeral(text_of(v));
  if (!plain || plain->empty()) return {};
  std::string s = lower(*plain);
  bool negative = s[0] == '-';
  if (negative || s[0] == '+') s.erase(0, 1);
  if (s == "inf" || s == "infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  if (s == "nan") return std::nan("");
  if (s.empty() || s.find_first_not_of("0123456789.e+-") != std::string::npos || s[0] == '-' || s[0] == '+') return {};
  char* end = nullptr;
  double d = std::strtod(s.c_str(), &end);
  if (end != s.c_str() + s.size()) return {};
  return negative ? -d : d;
}

Value int_filter(Call& c) {
  require_defined(c.self);
  Value otherwise = c.or_else(0, 0);
  int64_t base = c.has(1) ? to_index(c[1]) : 10;
  if (c.self.is_int()) return make_integer(big_of(c.self));
  if (auto* d = c.self.as<double>()) return std::isnan(*d) ? otherwise : truncated(*d);
  if (!c.self.string()) return otherwise;
  if (auto whole = parse_integer(text_of(c.self), base)) return *whole;
  auto d = parse_float(c.self);
  return d && std::isfinite(*d) ? truncated(*d) : otherwise;
}

Value float_filter(Call& c) {
  auto d = parse_float(c.self);
  return d ? Value(*d) : c.or_else(0, 0.0);
}

Value abs_filter(Call& c) { return absolute(c.self); }

// round(d, digits): the decimal nearest to the exact value, ties to even, as printf has it.
double rounded(double d, int64_t digits) {
  if (!std::isfinite(d) || digits > 320) return d;
  if (digits < -310) return std::copysign(0.0, d);
  if (digits < 0) {
    double unit = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(d / unit) * unit;
  }
  return std::strtod(fmt::format("{:.{}f}", d, digits).c_str(), nullptr);
}

Value rounded_integer(Runtime& rt, const Value& v, int64_t digits) {
  if (digits >= 0) return make_integer(big_of(v));
  if (digits < -4300) return 0;
  Value unit = binary(rt, Operator::pow, 10, -digits);
  mpz_class n = big_of(v), u = big_of(unit), half = u / 2, quotient, rest;
  mpz_fdiv_qr(quotient.get_mpz_t(), rest.get_mpz_t(), n.get_mpz_t(), u.get_mpz_t());
  if (rest > half || (rest == half && mpz_odd_p(quotient.get_mpz_t()))) quotient += 1;
  return make_integer(quotient * u);
}

Value round_filter(Call& c) {
  require_defined(c.self);
  int64_t digits = c.has(0) ? to_index(c[0]) : 0;
  std::string way = c.has(1) ? str_of(c.rt, c[1]) : "common";
  if (way != "common" && way != "ceil" && way != "floor") refuse(say("numbers are rounded by common, ceil or floor"));
  if (!c.self.is_number()) refuse(say("a number is needed here, not a value of type '{}'", type_name(c.self)));
  if (way == "common") {
    if (c.self.is_int()) return rounded_integer(c.rt, c.self, digits);
    return rounded(*c.self.as<double>(), digits);
  }
  Value scale = binary(c.rt, Operator::pow, 10, digits);
  Value scaled = binary(c.rt, Operator::mul, c.self, scale);
  if (auto* d = scaled.as<double>()) scaled = truncated(way == "ceil" ? std::ceil(*d) : std::floor(*d));
  return binary(c.rt, Operator::div, scaled, scale);
}

Value filesizeformat(Call& c) {
  auto size = parse_float(c.self);
  if (!size) refuse(say("a number is needed here, not a value of type '{}'", type_name(c.self)));
  bool binary_units = c.flag(0);
  double base = binary_units ? 1024 : 1000;
  if (*size == 1) return "1 Byte";
  if (*size < base) return digits_of(truncated(*size)) + " Bytes";
  double unit = base;
  std::string_view letters = "kMGTPEZY";
  for (size_t i = 0;; ++i, unit *= base)
    if (*size < unit * base || i + 1 == letters.size()) {
      std::string prefix(1, binary_units && i == 0 ? 'K' : letters[i]);
      return fmt::format("{:.1f} {}{}", base * *size / (unit * base), prefix, binary_units ? "iB" : "B");
    }
}

constexpr Row rows[] = {
    {"abs", "", abs_filter},
    {"filesizeformat", "binary?", filesizeformat},
    {"float", "default?", float_filter},
    {"int", "default? base?", int_filter},
    {"round", "precision? method?", round_filter},
};

}  // namespace

const Row* number_filter(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
