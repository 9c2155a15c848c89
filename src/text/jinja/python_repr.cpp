// str, repr and json.dumps of Python 3.
#include "text/jinja/python_repr.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/runtime.h"
#include "text/jinja/sort.h"

namespace madang::jinja {
namespace {

void append_repr(Runtime& rt, std::string& out, const Value& v);

// Python prefers ' and takes " only where the text has ' and no ".
void append_quoted(Runtime& rt, std::string& out, std::string_view s) {
  rt.budget.charge_text(s.size());
  bool has_single = s.find('\'') != s.npos, has_double = s.find('"') != s.npos;
  char quote = has_single && !has_double ? '"' : '\'';
  out += quote;
  for (size_t at = 0; at < s.size();) {
    size_t from = at;
    char32_t c = next_character(s, at);
    if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\\' || c == static_cast<unsigned char>(quote))
      (out += '\\') += static_cast<char>(c);
    else if (is_printable(c))
      out += s.substr(from, at - from);
    else if (c < 0x100)
      out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
    else if (c < 0x10000)
      out += fmt::format("\\u{:04x}", static_cast<uint32_t>(c));
    else
      out += fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
  }
  out += quote;
}

void append_sequence(Runtime& rt, std::string& out, const Sequence& s) {
  bool list = s.kind == Sequence::Kind::list;
  out += list ? '[' : '(';
  for (size_t i = 0; i < s.items.size(); ++i) {
    if (i) out += ", ";
    append_repr(rt, out, s.items[i]);
  }
  if (!list && s.items.size() == 1) out += ',';
  out += list ? ']' : ')';
}

void append_dict(Runtime& rt, std::string& out, const Dict& d) {
  out += '{';
  for (size_t i = 0; i < d.entries.size(); ++i) {
    if (i) out += ", ";
    append_repr(rt, out, d.entries[i].first);
    out += ": ";
    append_repr(rt, out, d.entries[i].second);
  }
  out += '}';
}

void append_scalar(std::string& out, const Value& v) {
  if (v.is_bool())
    out += v.is_true() ? "True" : "False";
  else if (v.is_int())
    out += digits_of(v);
  else if (auto* d = v.as<double>())
    out += repr_of_float(*d);
  else
    out += v.is_none() ? "None" : "Undefined";
}

void append_repr(Runtime& rt, std::string& out, const Value& v) {
  rt.budget.charge();
  if (out.size() > rt.budget.longest()) rt.budget.charge_text(out.size());
  if (auto* s = v.string()) {
    if (s->markup) out += "Markup(";
    append_quoted(rt, out, s->bytes);
    if (s->markup) out += ')';
  } else if (auto* q = v.sequence()) {
    append_sequence(rt, out, *q);
  } else if (auto* d = v.dict()) {
    append_dict(rt, out, *d);
  } else if (auto* o = v.object()) {
    out += o->repr(rt);
  } else {
    append_scalar(out, v);
  }
}

// --- json.dumps ------------------------------------------------------------------------------------------------

class JsonWriter {
 public:
  JsonWriter(Runtime& rt, const JsonForm& form) : rt_(rt), form_(form) {}

  void value(const Value& v) {
    rt_.budget.charge();
    if (out.size() > rt_.budget.longest()) rt_.budget.charge_text(out.size());
    if (auto* s = v.string())
      text(s->bytes);
    else if (v.is_number() || v.is_none())
      out += scalar(v);
    else if (auto* q = v.sequence())
      array(*q);
    else if (auto* d = v.dict())
      object(*d);
    else
      refuse(say("a value of type '{}' cannot be written as JSON", type_name(v)));
  }

  std::string out;

 private:
  static std::string scalar(const Value& v) {
    if (v.is_bool()) return v.is_true() ? "true" : "false";
    if (v.is_int()) return digits_of(v);
    if (v.is_none()) return "null";
    double d = *v.as<double>();
    return std::isnan(d) ? "NaN" : std::isinf(d) ? (d < 0 ? "-Infinity" : "Infinity") : repr_of_float(d);
  }

  void text(std::string_view s) {
    rt_.budget.charge_text(s.size());
    out += '"';
    for (size_t at = 0; at < s.size();) {
      size_t from = at;
      char32_t c = next_character(s, at);
      if (c == '"' || c == '\\')
        (out += '\\') += static_cast<char>(c);
      else if (c == '\n')
        out += "\\n";
      else if (c == '\r')
        out += "\\r";
      else if (c == '\t')
        out += "\\t";
      else if (c == '\b')
        out += "\\b";
      else if (c == '\f')
        out += "\\f";
      else if (c < 0x20 || (form_.ensure_ascii && c > 0x7E))
        escaped(c);
      else
        out += s.substr(from, at - from);
    }
    out += '"';
  }

  void escaped(char32_t c) {  // in UTF-16 units
    auto code = static_cast<uint32_t>(c);
    if (code < 0x10000)
      out += fmt::format("\\u{:04x}", code);
    else
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF));
  }

  void new_line() {
    if (!form_.indent) return;
    rt_.budget.charge_text(level_ * form_.indent->size());
    out += '\n';
    for (size_t i = 0; i < level_; ++i) out += *form_.indent;
  }

  void array(const Sequence& s) {
    if (s.items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    ++level_;
    for (size_t i = 0; i < s.items.size(); ++i) {
      if (i) out += form_.comma;
      new_line();
      value(s.items[i]);
    }
    --level_;
    new_line();
    out += ']';
  }

  void object(const Dict& d) {
    if (d.entries.empty()) {
      out += "{}";
      return;
    }
    auto entries = d.entries;
    if (form_.sort_keys) sort_stable(entries, [&](auto& a, auto& b) { return less(rt_, a.first, b.first); });
    out += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i) out += form_.comma;
      new_line();
      auto& key = entries[i].first;
      if (!key.string() && !key.is_number() && !key.is_none())
        refuse(say("a key of type '{}' cannot be written as JSON", type_name(key)));
      text(key.string() ? text_of(key) : scalar(key));
      out += form_.colon;
      value(entries[i].second);
    }
    --level_;
    new_line();
    out += '}';
  }

  Runtime& rt_;
  const JsonForm& form_;
  size_t level_ = 0;
};

}  // namespace

std::string str_of(Runtime& rt, const Value& v) {
  if (auto* s = v.string()) {
    rt.budget.charge_text(s->bytes.size());
    return s->bytes;
  }
  return v.undefined() ? "" : repr_of(rt, v);
}

std::string repr_of(Runtime& rt, const Value& v) {
  std::string out;
  append_repr(rt, out, v);
  rt.budget.charge_text(out.size());
  return out;
}

std::string repr_of_float(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[32] = {};  // ends in a zero for atoi
  auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  std::string_view form(buffer, static_cast<size_t>(end - buffer));  // d.ddde[+-]xx
  std::string out = form[0] == '-' ? "-" : "";
  if (form[0] == '-') form.remove_prefix(1);
  size_t e = form.find('e');
  int exponent = std::atoi(form.data() + e + 1);
  std::string digits(1, form[0]);
  if (e > 2) digits += form.substr(2, e - 2);
  int count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02d}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (exponent + 1 >= count) return out + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  auto point = static_cast<size_t>(exponent + 1);
  return out + digits.substr(0, point) + "." + digits.substr(point);
}

std::string digits_of(const Value& integer) {
  if (auto* i = integer.as<int64_t>()) return fmt::format("{}", *i);
  if (integer.is_bool()) return integer.is_true() ? "1" : "0";
  constexpr size_t most_digits = 4300;
  auto& big = **integer.as<Value::Big>();
  // sizeinbase may be one too large
  bool too_many = mpz_sizeinbase(big.get_mpz_t(), 10) > most_digits + 1;
  std::string digits = too_many ? "" : big.get_str();
  if (too_many || digits.size() - (digits[0] == '-') > most_digits)
    throw Error(Kind::limit, say("an integer has more than {} digits", most_digits));
  return digits;
}

std::string json_of(Runtime& rt, const Value& v, const JsonForm& form) {
  JsonWriter writer(rt, form);
  writer.value(v);
  rt.budget.charge_text(writer.out.size());
  return std::move(writer.out);
}

}  // namespace madang::jinja
