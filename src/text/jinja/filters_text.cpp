// Filters on texts. Jinja's documentation: "List of Builtin Filters".
#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/tables.h"
#include "text/jinja/wrap.h"

namespace madang::jinja {
namespace {

// The method of the value as a text, so that a filter and a method never differ.
Value method(Call& c, std::string_view name, Values arguments = {}) {
  Value bound = own_attribute(c.rt, soft_string(c.rt, c.self), name);
  Arguments given{std::move(arguments), {}};
  return call(c.rt, bound, given);
}

std::string_view needed_text(const Value& v) {
  require_defined(v);
  if (!v.string()) refuse(say("a text is needed here, not a value of type '{}'", type_name(v)));
  return text_of(v);
}

Value capitalize_filter(Call& c) { return method(c, "capitalize"); }
Value lower_filter(Call& c) { return method(c, "lower"); }
Value upper_filter(Call& c) { return method(c, "upper"); }
Value center(Call& c) { return method(c, "center", {c.or_else(0, 80)}); }
Value trim(Call& c) { return method(c, "strip", {c.or_else(0, None{})}); }

Value replace_filter(Call& c) {
  std::string s = str_of(c.rt, c.self), old = str_of(c.rt, c[0]), fresh = str_of(c.rt, c[1]);
  int64_t most = c.has(2) && !c[2].is_none() ? to_index(c[2]) : -1;
  return replace(c.rt, s, old, fresh, most < 0 ? unlimited : static_cast<size_t>(most));
}

// Words begin behind white space, hyphens and opening brackets; not behind apostrophes, as str.title has it.
Value title_filter(Call& c) {
  Value whole = soft_string(c.rt, c.self);
  c.rt.budget.charge_text(text_of(whole).size());
  std::string_view s = text_of(whole);
  auto separates = [](char32_t ch) {
    return is_space(ch) || std::u32string_view(U"-({[<").find(ch) != std::u32string_view::npos;
  };
  std::string out;
  for (size_t at = 0; at < s.size();) {
    size_t from = at;
    if (separates(next_character(s, at))) {
      out += s.substr(from, at - from);
      continue;
    }
    size_t first = at, end = at;
    while (end < s.size() && !separates(next_character(s, at))) end = at;
    out += upper(s.substr(from, first - from)) + lower(s.substr(first, end - first));
    at = end;
  }
  return Value(std::move(out), whole.string()->markup);
}

Value indent(Call& c) {
  std::string_view s = needed_text(c.self);
  bool by_text = c.has(0) && c[0].string();
  int64_t width = by_text ? 0 : c.has(0) ? to_index(c[0]) : 4;
  if (width > 0) c.rt.budget.charge_text(static_cast<size_t>(width));
  std::string indention = by_text ? text_of(c[0]) : std::string(static_cast<size_t>(std::max<int64_t>(0, width)), ' ');
  bool first = c.flag(1), blank = c.flag(2);
  std::string closed = std::string(s) + "\n";  // so that a break at the very end begins one more line
  auto lines = split_lines(closed);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    bool indents = i == 0 ? first : blank || !lines[i].empty();
    c.rt.budget.charge_text(indention.size() + lines[i].size());
    if (out.size() > c.rt.budget.longest()) c.rt.budget.charge_text(out.size());
    out.append(i ? "\n" : "").append(indents ? indention : "").append(lines[i]);
  }
  return Value(std::move(out), c.self.string()->markup);
}

Value truncate(Call& c) {
  if (c.self.undefined()) return c.self;
  needed_text(c.self);
  int64_t most = c.has(0) ? to_index(c[0]) : 255;
  std::string end = c.has(2) ? std::string(needed_text(c[2])) : "...";
  int64_t leeway = c.has(3) && !c[3].is_none() ? to_index(c[3]) : 5;
  auto end_size = static_cast<int64_t>(character_count(std::string_view(end)));
  if (most < end_size || leeway < 0) refuse(say("a length of {} is too small", most));
  auto& s = *c.self.string();
  if (static_cast<int64_t>(character_count(s)) <= most + leeway) return c.self;
  c.rt.budget.charge_text(s.bytes.size());
  std::string cut = s.bytes.substr(0, byte_of(s, static_cast<size_t>(most - end_size)));
  if (!c.flag(1)) cut = std::string(split_right(cut, " ", 1)[0]);
  return Value(cut + end, s.markup);
}

Value wordcount(Call& c) {
  std::string s = text_of(soft_string(c.rt, c.self));
  int64_t words = 0;
  bool inside = false;
  for (size_t at = 0; at < s.size();) {
    char32_t ch = next_character(s, at);
    bool letter = ch == '_' || is_alnum(ch);
    words += letter && !inside;
    inside = letter;
  }
  return words;
}

Value wordwrap(Call& c) {
  int64_t width = c.has(0) ? to_index(c[0]) : 79;
  if (width <= 0) refuse(say("a width of {} is too small", width));
  std::string joiner = c.has(2) && !c[2].is_none() ? std::string(needed_text(c[2])) : "\n";
  std::string out;
  bool first = true;
  for (auto line : split_lines(needed_text(c.self))) {
    auto pieces = wrap(line, static_cast<size_t>(width), c.flag(1, true), c.flag(3, true));
    if (pieces.empty()) pieces.emplace_back();
    for (auto& piece : pieces) {
      c.rt.budget.charge_text(piece.size() + joiner.size());
      if (!std::exchange(first, false)) out += joiner;
      out += piece;
    }
  }
  return out;
}

Value format_filter(Call& c) {
  if (!c.others.positional.empty() && !c.others.keyword.empty())
    refuse(say("a format takes arguments by position or by name, not both"));
  Value form = soft_string(c.rt, c.self);
  if (c.others.keyword.empty()) return percent_format(c.rt, *form.string(), make_tuple(c.others.positional));
  DictMaker maker(c.rt);
  for (auto& [name, value] : c.others.keyword) maker.set(Value(name), value);
  return percent_format(c.rt, *form.string(), maker.finish());
}

Value string_filter(Call& c) { return soft_string(c.rt, c.self); }

Value tojson(Call& c) {
  JsonForm form;
  form.ensure_ascii = c.flag(0);
  form.sort_keys = c.flag(3);
  if (c.has(1) && c[1].string()) {
    form.indent = text_of(c[1]);
  } else if (c.has(1) && !c[1].is_none()) {
    int64_t width = std::max<int64_t>(0, to_index(c[1]));
    c.rt.budget.charge_text(static_cast<size_t>(width));
    form.indent = std::string(static_cast<size_t>(width), ' ');
  }
  if (form.indent) form.comma = ",";
  if (c.has(2) && !c[2].is_none()) {
    Values both = collect(c.rt, c[2]);
    if (both.size() != 2) refuse(say("there are not {} values to unpack", 2));
    form.comma = needed_text(both[0]);
    form.colon = needed_text(both[1]);
  }
  return json_of(c.rt, c.self, form);
}

constexpr Row rows[] = {
    {"capitalize", "", capitalize_filter},
    {"center", "width?", center},
    {"format", "*", format_filter},
    {"indent", "width? first? blank?", indent},
    {"lower", "", lower_filter},
    {"replace", "old new count?", replace_filter},
    {"string", "", string_filter},
    {"title", "", title_filter},
    {"tojson", "ensure_ascii? indent? separators? sort_keys?", tojson},
    {"trim", "chars?", trim},
    {"truncate", "length? killwords? end? leeway?", truncate},
    {"upper", "", upper_filter},
    {"wordcount", "", wordcount},
    {"wordwrap", "width? break_long_words? wrapstring? break_on_hyphens?", wordwrap},
};

}  // namespace

const Row* text_filter(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
