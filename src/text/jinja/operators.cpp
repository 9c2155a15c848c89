// Python's operators on values.
#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/format.h"
#include "text/jinja/methods.h"
#include "text/jinja/objects.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

constexpr const char* symbols[] = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void refuse_types(Operator op, const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  refuse(say("the operator {} does not take '{}' and '{}'", symbols[static_cast<int>(op)], type_name(a), type_name(b)));
}

[[noreturn]] void refuse_zero() { refuse(say("division by zero")); }

// --- Numbers ---------------------------------------------------------------------------------------------------

// A quotient of integers, rounded once as Python rounds it.
double true_quotient(const mpz_class& a, const mpz_class& b) {
  auto bits = [](const mpz_class& x) { return static_cast<int64_t>(mpz_sizeinbase(x.get_mpz_t(), 2)); };
  int64_t shift = std::max<int64_t>(0, 66 - (bits(a) - bits(b)));
  mpz_class scaled = abs(a) << static_cast<mp_bitcnt_t>(shift), quotient, rest, divisor = abs(b);
  mpz_tdiv_qr(quotient.get_mpz_t(), rest.get_mpz_t(), scaled.get_mpz_t(), divisor.get_mpz_t());
  if (rest != 0) quotient |= 1;  // at least 65 bits: the lowest one only breaks ties
  double magnitude = std::ldexp(to_double(make_integer(quotient)), static_cast<int>(-shift));
  return (sgn(a) < 0) != (sgn(b) < 0) ? -magnitude : magnitude;
}

Value power(Runtime& rt, const mpz_class& base, const mpz_class& exponent) {
  if (exponent < 0) {
    if (base == 0) refuse_zero();
    return std::pow(to_double(make_integer(base)), to_double(make_integer(exponent)));
  }
  // A million bits is far beyond what can be printed, and a power of that size takes milliseconds.
  constexpr uint64_t most_bits = uint64_t{1} << 20;
  auto bits = mpz_sizeinbase(base.get_mpz_t(), 2);
  if (abs(base) > 1 && (!exponent.fits_ulong_p() || exponent.get_ui() > most_bits / bits))
    throw Error(Kind::limit, say("an integer has more than {} bits", most_bits));
  mpz_class result;
  unsigned long e = abs(base) > 1 ? exponent.get_ui() : mpz_odd_p(exponent.get_mpz_t()) ? 1 : exponent == 0 ? 0 : 2;
  mpz_pow_ui(result.get_mpz_t(), base.get_mpz_t(), e);
  rt.budget.charge(mpz_size(result.get_mpz_t()));
  return make_integer(std::move(result));
}

Value big_integers(Runtime& rt, Operator op, const Value& left, const Value& right) {
  mpz_class a = big_of(left), b = big_of(right);
  size_t limbs = mpz_size(a.get_mpz_t()) + mpz_size(b.get_mpz_t());
  rt.budget.charge(limbs);
  switch (op) {
    case Operator::add:
      return make_integer(a + b);
    case Operator::sub:
      return make_integer(a - b);
    case Operator::mul:
      if (limbs > (size_t{1} << 14)) throw Error(Kind::limit, say("an integer has more than {} bits", 1 << 20));
      return make_integer(a * b);
    case Operator::pow:
      return power(rt, a, b);
    default:
      break;
  }
  if (b == 0) refuse_zero();
  if (op == Operator::div) {
    double quotient = true_quotient(a, b);
    if (std::isinf(quotient)) refuse(say("a result is too large for a float"));
    return quotient;
  }
  mpz_class result;
  if (op == Operator::floordiv)
    mpz_fdiv_q(result.get_mpz_t(), a.get_mpz_t(), b.get_mpz_t());
  else
    mpz_fdiv_r(result.get_mpz_t(), a.get_mpz_t(), b.get_mpz_t());
  return make_integer(std::move(result));
}

Value integers(Runtime& rt, Operator op, const Value& left, const Value& right) {
  auto small = [](const Value& v) -> std::optional<int64_t> {
    if (auto* i = v.as<int64_t>()) return *i;
    if (v.is_bool()) return v.is_true();
    return {};
  };
  if (auto a = small(left), b = small(right); a && b) {
    int64_t r;
    if (op == Operator::add && !__builtin_add_overflow(*a, *b, &r)) return r;
    if (op == Operator::sub && !__builtin_sub_overflow(*a, *b, &r)) return r;
    if (op == Operator::mul && !__builtin_mul_overflow(*a, *b, &r)) return r;
  }
  return big_integers(rt, op, left, right);
}

double float_floor(double a, double b) {  // a // b of Python's floats
  double rest = std::fmod(a, b), quotient = (a - rest) / b;
  if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  double floored = std::floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

double float_rest(double a, double b) {  // a % b: the sign is b's
  double rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0, b);
  return (b < 0) != (rest < 0) ? rest + b : rest;
}

Value floats(Operator op, double a, double b) {
  switch (op) {
    case Operator::add:
      return a + b;
    case Operator::sub:
      return a - b;
    case Operator::mul:
      return a * b;
    case Operator::pow: {
      if (a == 0 && b < 0) refuse_zero();
      double r = std::pow(a, b);
      if (std::isnan(r) && !std::isnan(a) && !std::isnan(b)) refuse(say("a result is a complex number"));
      if (std::isinf(r) && std::isfinite(a) && std::isfinite(b)) refuse(say("a result is too large for a float"));
      return r;
    }
    default:
      break;
  }
  if (b == 0) refuse_zero();
  return op == Operator::div ? a / b : op == Operator::floordiv ? float_floor(a, b) : float_rest(a, b);
}

// --- Texts and sequences ---------------------------------------------------------------------------------------

Value concatenated(Runtime& rt, const Value& a, const Value& b) {
  if (auto *x = a.string(), *y = b.string(); x && y) {
    rt.budget.charge_text(x->bytes.size() + y->bytes.size());
    if (!x->markup && !y->markup) return Value(x->bytes + y->bytes);
    return Value(text_of(to_markup(rt, a)) + text_of(to_markup(rt, b)), true);
  }
  auto *x = a.sequence(), *y = b.sequence();
  if (!x || !y || a.is_list() != b.is_list()) refuse_types(Operator::add, a, b);
  rt.budget.charge(x->items.size() + y->items.size());
  Values items = x->items;
  items.insert(items.end(), y->items.begin(), y->items.end());
  return a.is_list() ? make_list(std::move(items)) : make_tuple(std::move(items));
}

Value repeated(Runtime& rt, const Value& whole, const Value& times) {
  uint64_t size = whole.string() ? text_of(whole).size() : whole.sequence()->items.size();
  if (size == 0) return whole;
  mpz_class wanted = big_of(times);
  uint64_t n = wanted <= 0 ? 0 : wanted.fits_ulong_p() ? wanted.get_ui() : ~uint64_t{0}, total;
  if (__builtin_mul_overflow(n, size, &total)) total = ~uint64_t{0};
  if (auto* s = whole.string()) {
    rt.budget.charge_text(total);
    std::string out;
    out.reserve(total);
    while (n--) out += s->bytes;
    return Value(std::move(out), s->markup);
  }
  rt.budget.charge(total);
  Values items;
  items.reserve(total);
  while (n--) items.insert(items.end(), whole.sequence()->items.begin(), whole.sequence()->items.end());
  return whole.is_list() ? make_list(std::move(items)) : make_tuple(std::move(items));
}

bool repeatable(const Value& v) { return v.string() || v.sequence(); }

}  // namespace

Value binary(Runtime& rt, Operator op, const Value& a, const Value& b) {
  rt.budget.charge();
  if (a.is_int() && b.is_int()) return integers(rt, op, a, b);
  if (a.is_number() && b.is_number()) return floats(op, to_double(a), to_double(b));
  if (op == Operator::mod && a.string()) return percent_format(rt, *a.string(), b);
  require_defined(a);
  require_defined(b);
  if (op == Operator::add) return concatenated(rt, a, b);
  if (op == Operator::mul && repeatable(a) && b.is_int()) return repeated(rt, a, b);
  if (op == Operator::mul && repeatable(b) && a.is_int()) return repeated(rt, b, a);
  refuse_types(op, a, b);
}

Value negate(const Value& v) {
  if (auto* i = v.as<int64_t>(); i && *i != INT64_MIN) return -*i;
  if (v.is_int()) return make_integer(-big_of(v));
  if (auto* d = v.as<double>()) return -*d;
  require_defined(v);
  refuse(say("the sign {} does not take '{}'", "-", type_name(v)));
}

Value absolute(const Value& v) {
  if (v.is_int()) return make_integer(abs(big_of(v)));
  if (auto* d = v.as<double>()) return std::fabs(*d);
  refuse(say("a number is needed here, not a value of type '{}'", type_name(v)));
}

double to_double(const Value& v) {
  if (auto* d = v.as<double>()) return *d;
  if (auto* i = v.as<int64_t>()) return static_cast<double>(*i);
  if (v.is_bool()) return v.is_true();
  auto& big = **v.as<Value::Big>();
  // GMP's own conversion cuts off; through hexadecimal it is rounded, as Python rounds.
  double d = mpz_sizeinbase(big.get_mpz_t(), 2) > 1100 ? HUGE_VAL : std::strtod(big.get_str(10).c_str(), nullptr);
  if (std::isinf(d)) refuse(say("an integer is too large for a float"));
  return d;
}

Value truncated(double d) {
  if (!std::isfinite(d)) refuse(say("{} cannot be an integer", repr_of_float(d)));
  return make_integer(mpz_class(d));
}

int64_t to_index(const Value& v) {
  require_defined(v);
  if (!v.is_int()) refuse(say("an integer is needed here, not a value of type '{}'", type_name(v)));
  if (v.as<Value::Big>()) refuse(say("a number is too large here: {}", digits_of(v)));
  return v.is_bool() ? v.is_true() : *v.as<int64_t>();
}

// --- Comparisons -----------------------------------------------------------------------------------------------

namespace {

std::optional<int> compare_numbers(const Value& a, const Value& b) {
  auto sign = [](auto x, auto y) { return (x > y) - (x < y); };
  if (auto *x = a.as<int64_t>(), *y = b.as<int64_t>(); x && y) return sign(*x, *y);
  auto *x = a.as<double>(), *y = b.as<double>();
  if ((x && std::isnan(*x)) || (y && std::isnan(*y))) return {};
  if (x && y) return sign(*x, *y);
  if (x) return -mpz_cmp_d(big_of(b).get_mpz_t(), *x);
  if (y) return mpz_cmp_d(big_of(a).get_mpz_t(), *y);
  return cmp(big_of(a), big_of(b));
}

}  // namespace

std::optional<int> compare(Runtime& rt, const Value& a, const Value& b) {
  rt.budget.charge();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (auto *x = a.string(), *y = b.string(); x && y) {
    rt.budget.charge(std::min(x->bytes.size(), y->bytes.size()) / 64);
    return x->bytes.compare(y->bytes);  // the order of UTF-8 bytes is that of characters
  }
  auto *x = a.sequence(), *y = b.sequence();
  if (x && y && a.is_list() == b.is_list()) {
    for (size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i)
      if (!equal(rt, x->items[i], y->items[i])) return compare(rt, x->items[i], y->items[i]);
    return x->items.size() < y->items.size() ? -1 : x->items.size() > y->items.size();
  }
  require_defined(a);
  require_defined(b);
  refuse(say("values of types '{}' and '{}' have no order", type_name(a), type_name(b)));
}

bool less(Runtime& rt, const Value& a, const Value& b) {
  auto order = compare(rt, a, b);
  return order && *order < 0;
}

bool contains(Runtime& rt, const Value& whole, const Value& part) {
  rt.budget.charge();
  if (auto* s = whole.string()) {
    if (!part.string())
      refuse(say("only a text can be searched for in a text, not a value of type '{}'", type_name(part)));
    rt.budget.charge(s->bytes.size() / 64);
    return find_bytes(s->bytes, text_of(part)) != std::string::npos;
  }
  if (auto* d = whole.dict()) return find(rt, *d, part);
  auto it = iterate(rt, whole);
  while (auto item = it->next(rt))
    if (equal(rt, *item, part)) return true;
  return false;
}

// --- Attributes and items --------------------------------------------------------------------------------------

namespace {

Value no_attribute(const Value& v, std::string_view name) {
  return make_undefined(say("a value of type '{}' has no attribute '{}'", type_name(v), name));
}

Value unsafe(const Value& v, std::string_view name) {
  return make_undefined(say("the attribute '{}' of a value of type '{}' is not safe", name, type_name(v)));
}

// v[key] alone; nothing where Python raises TypeError, IndexError or KeyError.
std::optional<Value> plain_item(Runtime& rt, const Value& v, const Value& key) {
  if (auto* d = v.dict()) {
    if (key.is_list() || key.dict()) return {};
    auto* found = find(rt, *d, key);
    return found ? std::optional(*found) : std::nullopt;
  }
  if (auto* o = v.object()) return o->item(rt, key);
  if ((!v.string() && !v.sequence()) || !key.is_int() || key.as<Value::Big>()) return {};
  auto size = static_cast<int64_t>(*length(rt, v));
  int64_t i = to_index(key);
  if (i < 0) i += size;
  if (i < 0 || i >= size) return {};
  if (auto* s = v.sequence()) return s->items[static_cast<size_t>(i)];
  rt.budget.charge(v.string()->ascii ? 1 : 1 + v.string()->bytes.size() / 64);
  return Value(character_at(*v.string(), static_cast<size_t>(i)), v.string()->markup);
}

// The attribute where the sandbox lets it pass, Undefined where it does not, Missing where there is none.
Value safe_attribute(Runtime& rt, const Value& v, std::string_view name) {
  if (changes_container(v, name)) return unsafe(v, name);
  Value own = own_attribute(rt, v, name);
  return !own.is_missing() && name.starts_with("_") ? unsafe(v, name) : own;
}

}  // namespace

Value own_attribute(Runtime& rt, const Value& v, std::string_view name) {
  if (auto* o = v.object()) return o->attribute(rt, name);
  return method_of(rt, v, name);
}

Value get_attribute(Runtime& rt, const Value& v, const std::string& name) {
  rt.budget.charge();
  require_defined(v);
  Value own = safe_attribute(rt, v, name);
  if (!own.is_missing()) return own;
  if (auto* d = v.dict()) {
    auto* found = find(rt, *d, std::string_view(name));
    return found ? *found : no_attribute(v, name);
  }
  auto item = plain_item(rt, v, Value(name));
  return item ? *item : no_attribute(v, name);
}

Value get_item(Runtime& rt, const Value& v, const Value& key) {
  rt.budget.charge();
  require_defined(v);
  if (auto item = plain_item(rt, v, key)) return *item;
  if (!key.string()) return make_undefined(say("a value of type '{}' has no such element", type_name(v)));
  Value own = safe_attribute(rt, v, text_of(key));
  return own.is_missing() ? no_attribute(v, text_of(key)) : own;
}

namespace {

struct Bounds {
  int64_t start, stop, step, count;
};

// PySlice_AdjustIndices.
Bounds adjusted(const Value& start, const Value& stop, const Value& step, int64_t size) {
  auto part = [](const Value& v, int64_t otherwise) {
    if (v.is_none()) return otherwise;
    if (auto* big = v.as<Value::Big>()) return **big < 0 ? INT64_MIN : INT64_MAX;
    return to_index(v);
  };
  Bounds b{0, 0, part(step, 1), 0};
  if (b.step == 0) refuse(say("the step of a slice is zero"));
  b.step = std::max(b.step, -INT64_MAX);
  auto clamp = [&](int64_t i) {
    if (i < 0) i = i < -size ? (b.step < 0 ? -1 : 0) : i + size;
    return std::min(i, b.step < 0 ? size - 1 : size);
  };
  b.start = start.is_none() ? (b.step < 0 ? size - 1 : 0) : clamp(part(start, 0));
  b.stop = stop.is_none() ? (b.step < 0 ? -1 : size) : clamp(part(stop, 0));
  if (b.step > 0 && b.start < b.stop) b.count = (b.stop - b.start - 1) / b.step + 1;
  if (b.step < 0 && b.stop < b.start) b.count = (b.start - b.stop - 1) / -b.step + 1;
  return b;
}

Value slice_text(const String& s, const Bounds& b) {
  if (b.step == 1 || s.ascii) {
    if (b.count == 0) return Value(std::string(), s.markup);
    if (b.step == 1) {
      size_t from = byte_of(s, static_cast<size_t>(b.start));
      size_t to = from;
      for (int64_t n = b.count; n > 0; --n) to += s.ascii ? 1 : character_size(s.bytes[to]);
      return Value(s.bytes.substr(from, to - from), s.markup);
    }
    std::string out;
    for (int64_t i = 0; i < b.count; ++i) out += s.bytes[static_cast<size_t>(b.start + i * b.step)];
    return Value(std::move(out), s.markup);
  }
  auto wide = characters(s.bytes);
  std::string out;
  for (int64_t i = 0; i < b.count; ++i) append_character(out, wide[static_cast<size_t>(b.start + i * b.step)]);
  return Value(std::move(out), s.markup);
}

}  // namespace

Value slice(Runtime& rt, const Value& v, const Value& start, const Value& stop, const Value& step) {
  require_defined(v);
  auto* range = v.object_as<Range>();
  if (!v.string() && !v.sequence() && !range) refuse(say("a value of type '{}' cannot be sliced", type_name(v)));
  Bounds b = adjusted(start, stop, step, static_cast<int64_t>(*length(rt, v)));
  if (range) return range->sliced(b.start, b.stop, b.step);
  if (auto* s = v.string()) {
    rt.budget.charge_text(s->bytes.size());
    return slice_text(*s, b);
  }
  rt.budget.charge(static_cast<uint64_t>(b.count));
  Values items;
  for (int64_t i = 0; i < b.count; ++i) items.push_back(v.sequence()->items[static_cast<size_t>(b.start + i * b.step)]);
  return v.is_list() ? make_list(std::move(items)) : make_tuple(std::move(items));
}

Value soft_string(Runtime& rt, const Value& v) { return v.string() ? v : Value(str_of(rt, v)); }

Value to_markup(Runtime& rt, const Value& v) {
  if (v.string() && v.string()->markup) return v;
  return Value(escape_html(rt, str_of(rt, v)), true);
}

}  // namespace madang::jinja
