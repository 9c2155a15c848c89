// The methods of str, one row a method. encode, translate and maketrans need types a template has no use for.
// Python's documentation: "String Methods".
#include "text/jinja/methods_text.h"

#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

std::string_view self(const Call& c) { return c.self.string()->bytes; }

std::string_view text(const Call& c, size_t i) {
  if (!c[i].string()) {
    require_defined(c[i]);
    refuse(say("a text is needed here, not a value of type '{}'", type_name(c[i])));
  }
  return c[i].string()->bytes;
}

size_t at_most(const Call& c, size_t i) {  // a count whose negative values mean all
  int64_t n = c.has(i) ? to_index(c[i]) : -1;
  return n < 0 ? unlimited : static_cast<size_t>(n);
}

Value texts(Call& c, const std::vector<std::string_view>& parts) {
  c.rt.budget.charge(parts.size() + self(c).size() / 16);
  Values items;
  items.reserve(parts.size());
  for (auto part : parts) items.emplace_back(part);
  return make_list(std::move(items));
}

template <std::string (*change)(std::string_view)>
Value changed(Call& c) {
  c.rt.budget.charge_text(self(c).size());
  return change(self(c));
}

template <Side side>
Value stripped(Call& c) {
  c.rt.budget.charge_text(self(c).size());
  if (!c.has(0) || c[0].is_none()) return strip_space(self(c), side);
  return strip(self(c), text(c, 0), side);
}

template <Side text_at>
Value padded(Call& c) {
  int64_t width = std::max<int64_t>(0, to_index(c[0]));
  std::string_view fill = c.has(1) ? text(c, 1) : " ";
  if (character_count(fill) != 1) refuse(say("the fill must be one character"));
  return pad(c.rt, self(c), static_cast<size_t>(width), fill, text_at);
}

// --- Asking about characters -----------------------------------------------------------------------------------

template <bool (*is)(char32_t)>
Value all_are(Call& c) {
  c.rt.budget.charge(self(c).size() / 16);
  for (size_t at = 0; at < self(c).size();)
    if (!is(next_character(self(c), at))) return false;
  return !self(c).empty();
}

template <bool (*wanted)(char32_t), bool (*forbidden)(char32_t)>
Value cased_as(Call& c) {
  bool any = false;
  for (size_t at = 0; at < self(c).size();) {
    char32_t ch = next_character(self(c), at);
    if (forbidden(ch) || is_title(ch)) return false;
    any |= wanted(ch);
  }
  return any;
}

Value is_titled(Call& c) {
  bool any = false, inside = false;
  for (size_t at = 0; at < self(c).size();) {
    char32_t ch = next_character(self(c), at);
    bool big = is_upper(ch) || is_title(ch), small = is_lower(ch);
    if ((big && inside) || (small && !inside)) return false;
    inside = big || small;
    any |= inside;
  }
  return any;
}

// --- Search ----------------------------------------------------------------------------------------------------

// The part of the text that the arguments (.., start, end) leave, and the character it begins at.
struct Window {
  std::string_view text;
  size_t offset = 0;
  bool valid = true;  // a start behind the end finds nothing, not even ''
};

Window window(const Call& c) {
  Window w{self(c)};
  if (!c.has(1) && !c.has(2)) return w;
  auto& s = *c.self.string();
  auto size = static_cast<int64_t>(character_count(s));
  auto place = [&](size_t i, int64_t otherwise) {
    if (!c.has(i) || c[i].is_none()) return otherwise;
    int64_t n = to_index(c[i]);
    return n < 0 ? std::max<int64_t>(0, n + size) : n;
  };
  int64_t from = place(1, 0), to = std::min(place(2, size), size);
  w.valid = from <= to;
  if (!w.valid) from = to = 0;
  size_t first = byte_of(s, static_cast<size_t>(from)), last = byte_of(s, static_cast<size_t>(to));
  w.text = w.text.substr(first, last - first);
  w.offset = static_cast<size_t>(from);
  return w;
}

template <bool from_right>
int64_t found(Call& c) {
  c.rt.budget.charge(self(c).size() / 16);
  Window w = window(c);
  if (!w.valid) return -1;
  size_t at = from_right ? find_last_bytes(w.text, text(c, 0)) : find_bytes(w.text, text(c, 0));
  return at == w.text.npos ? -1 : static_cast<int64_t>(w.offset + character_count(w.text.substr(0, at)));
}

template <bool from_right>
Value find_method(Call& c) {
  return found<from_right>(c);
}

template <bool from_right>
Value index_method(Call& c) {
  int64_t at = found<from_right>(c);
  if (at < 0) refuse(say("the text is not found"));
  return at;
}

Value count(Call& c) {
  c.rt.budget.charge(self(c).size() / 16);
  Window w = window(c);
  return w.valid ? count_parts(w.text, text(c, 0)) : 0;
}

template <bool at_end>
Value begins_or_ends(Call& c) {
  Window w = window(c);
  auto fits = [&](const Value& v) {
    if (!v.string()) refuse(say("a text is needed here, not a value of type '{}'", type_name(v)));
    return w.valid && (at_end ? w.text.ends_with(text_of(v)) : w.text.starts_with(text_of(v)));
  };
  if (!c[0].is_tuple()) return fits(c[0]);
  auto& all = c[0].sequence()->items;
  return std::any_of(all.begin(), all.end(), fits);
}

// --- Cutting and joining ---------------------------------------------------------------------------------------

template <bool from_right>
Value split_method(Call& c) {
  size_t most = at_most(c, 1);
  if (!c.has(0) || c[0].is_none())
    return texts(c, from_right ? split_space_right(self(c), most) : split_space(self(c), most));
  if (text(c, 0).empty()) refuse(say("the separator is empty"));
  return texts(c, from_right ? split_right(self(c), text(c, 0), most) : split(self(c), text(c, 0), most));
}

Value lines(Call& c) { return texts(c, split_lines(self(c), c.flag(0))); }

template <bool from_right>
Value partition(Call& c) {
  auto by = text(c, 0);
  if (by.empty()) refuse(say("the separator is empty"));
  c.rt.budget.charge_text(self(c).size());
  size_t at = from_right ? find_last_bytes(self(c), by) : find_bytes(self(c), by);
  if (at == by.npos) return from_right ? make_tuple({"", "", self(c)}) : make_tuple({self(c), "", ""});
  return make_tuple({self(c).substr(0, at), by, self(c).substr(at + by.size())});
}

Value join(Call& c) {
  std::string out;
  auto it = iterate(c.rt, c[0]);
  for (bool first = true; auto item = it->next(c.rt); first = false) {
    if (!item->string()) refuse(say("only texts can be joined, not a value of type '{}'", type_name(*item)));
    if (!first) out += self(c);
    out += c.self.string()->markup ? text_of(to_markup(c.rt, *item)) : text_of(*item);
    if (out.size() > c.rt.budget.longest()) c.rt.budget.charge_text(out.size());
    c.rt.budget.charge(1 + (text_of(*item).size() + self(c).size()) / 16);
  }
  return Value(std::move(out));
}

Value replace_method(Call& c) {
  text(c, 0), text(c, 1);
  Value fresh = c.self.string()->markup ? to_markup(c.rt, c[1]) : c[1];
  return replace(c.rt, self(c), text(c, 0), text_of(fresh), at_most(c, 2));
}

template <bool suffix>
Value without(Call& c) {
  auto s = self(c), part = text(c, 0);
  if (suffix && s.ends_with(part)) s.remove_suffix(part.size());
  if (!suffix && s.starts_with(part)) s.remove_prefix(part.size());
  return s;
}

Value expand_tabs(Call& c) {
  int64_t every = c.has(0) ? to_index(c[0]) : 8;
  std::string out;
  int64_t column = 0;
  for (char ch : self(c)) {
    int64_t blanks = ch != '\t' ? 0 : every > 0 ? every - column % every : 0;
    c.rt.budget.charge_text(out.size() / 16 + static_cast<size_t>(blanks));
    out.append(static_cast<size_t>(blanks), ' ');
    if (ch != '\t') out += ch;
    column = ch == '\n' || ch == '\r' ? 0 : column + (ch == '\t' ? blanks : (ch & 0xC0) != 0x80);
  }
  return Value(std::move(out));
}

Value zfill(Call& c) {
  int64_t width = std::max<int64_t>(0, to_index(c[0]));
  auto s = self(c);
  std::string sign(s.substr(0, s.starts_with("+") || s.starts_with("-") ? 1 : 0));
  size_t rest = static_cast<size_t>(width) > sign.size() ? static_cast<size_t>(width) - sign.size() : 0;
  return sign + pad(c.rt, s.substr(sign.size()), rest, "0", Side::right);
}

Value format(Call& c) { return brace_format(c.rt, *c.self.string(), c.others); }

Value format_map(Call& c) {
  if (!c[0].dict()) refuse(say("a dict is needed here, not a value of type '{}'", type_name(c[0])));
  Arguments by_name;
  for (auto& [key, value] : c[0].dict()->entries)
    if (key.string()) by_name.keyword.emplace_back(text_of(key), value);
  return brace_format(c.rt, *c.self.string(), by_name);
}

Value unsupported(Call&) { throw Error(Kind::unsupported, say("this method of texts is not supported")); }

constexpr Row rows[] = {
    {"capitalize", "/", changed<capitalize>},
    {"casefold", "/", changed<casefold>},
    {"center", "width fill? /", padded<Side::both>},
    {"count", "sub start? end? /", count},
    {"encode", "*", unsupported},
    {"endswith", "suffix start? end? /", begins_or_ends<true>},
    {"expandtabs", "tabsize?", expand_tabs},
    {"find", "sub start? end? /", find_method<false>},
    {"format", "*", format},
    {"format_map", "mapping /", format_map},
    {"index", "sub start? end? /", index_method<false>},
    {"isalnum", "/", all_are<is_alnum>},
    {"isalpha", "/", all_are<is_alpha>},
    {"isascii", "/", [](Call& c) -> Value { return c.self.string()->ascii; }},
    {"isdecimal", "/", all_are<is_decimal>},
    {"isdigit", "/", all_are<is_digit>},
    {"isidentifier", "/", [](Call& c) -> Value { return is_identifier(self(c)); }},
    {"islower", "/", cased_as<is_lower, is_upper>},
    {"isnumeric", "/", all_are<is_numeric>},
    {"isprintable", "/", [](Call& c) -> Value { return self(c).empty() || truth(c.rt, all_are<is_printable>(c)); }},
    {"isspace", "/", all_are<is_space>},
    {"istitle", "/", is_titled},
    {"isupper", "/", cased_as<is_upper, is_lower>},
    {"join", "iterable /", join},
    {"ljust", "width fill? /", padded<Side::left>},
    {"lower", "/", changed<lower>},
    {"lstrip", "chars? /", stripped<Side::left>},
    {"partition", "sep /", partition<false>},
    {"removeprefix", "prefix /", without<false>},
    {"removesuffix", "suffix /", without<true>},
    {"replace", "old new count? /", replace_method},
    {"rfind", "sub start? end? /", find_method<true>},
    {"rindex", "sub start? end? /", index_method<true>},
    {"rjust", "width fill? /", padded<Side::right>},
    {"rpartition", "sep /", partition<true>},
    {"rsplit", "sep? maxsplit?", split_method<true>},
    {"rstrip", "chars? /", stripped<Side::right>},
    {"split", "sep? maxsplit?", split_method<false>},
    {"splitlines", "keepends?", lines},
    {"startswith", "prefix start? end? /", begins_or_ends<false>},
    {"strip", "chars? /", stripped<Side::both>},
    {"swapcase", "/", changed<swapcase>},
    {"title", "/", changed<title>},
    {"translate", "table /", unsupported},
    {"upper", "/", changed<upper>},
    {"zfill", "width /", zfill},
};

}  // namespace

const Row* text_method(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
