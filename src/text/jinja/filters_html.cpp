// Filters for HTML and URLs. Templates for models hardly use them; urlize is refused.
// Jinja's documentation: "List of Builtin Filters".
#include <algorithm>
#include <charconv>

#include "text/jinja/operators.h"
#include "text/jinja/pretty.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/tables.h"

namespace madang::jinja {
namespace {

Value escape(Call& c) { return to_markup(c.rt, c.self); }
Value forceescape(Call& c) { return Value(escape_html(c.rt, str_of(c.rt, c.self)), true); }
Value safe(Call& c) { return Value(str_of(c.rt, c.self), true); }

// Everything from `open` to the next `close`, taken out.
std::string without(std::string_view s, std::string_view open, std::string_view close) {
  std::string out;
  size_t from = 0, start;
  while ((start = find_bytes(s, open, from)) != s.npos) {
    size_t end = find_bytes(s, close, start);
    if (end == s.npos) break;
    out += s.substr(from, start - from);
    from = end + close.size();
  }
  return out.append(s.substr(from));
}

std::string without_entities(std::string_view s) {
  static constexpr std::pair<std::string_view, std::string_view> named[] = {
      {"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"nbsp", "\xC2\xA0"}};
  std::string out;
  for (size_t at = 0; at < s.size();) {
    size_t end = s[at] == '&' ? s.find(';', at) : s.npos;
    auto name = end == s.npos || end - at > 12 ? std::string_view() : s.substr(at + 1, end - at - 1);
    auto found = std::find_if(std::begin(named), std::end(named), [&](auto& n) { return n.first == name; });
    uint32_t code = 0;
    if (name.starts_with("#")) {
      bool hexadecimal = name.size() > 1 && (name[1] | 32) == 'x';
      std::from_chars(name.data() + 1 + hexadecimal, name.data() + name.size(), code, hexadecimal ? 16 : 10);
    }
    if (found != std::end(named))
      out += found->second;
    else if (code > 0 && code < 0xD800)
      append_character(out, code);
    else
      end = at, out += s[at];
    at = end + 1;
  }
  return out;
}

Value striptags(Call& c) {
  std::string s = without(without(str_of(c.rt, c.self), "<!--", "-->"), "<", ">");
  std::string folded;
  for (auto word : split_space(s)) (folded += folded.empty() ? "" : " ") += word;
  return Value(without_entities(folded), true);
}

std::string quoted(Runtime& rt, std::string_view s, bool in_query) {
  rt.budget.charge_text(s.size() * 3);
  std::string out;
  for (char ch : s) {
    auto byte = static_cast<unsigned char>(ch);
    bool plain = byte < 0x80 && (std::isalnum(byte) || std::string_view("_.-~").find(ch) != std::string_view::npos);
    if (plain || (ch == '/' && !in_query))
      out += ch;
    else if (ch == ' ' && in_query)
      out += '+';
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

Value urlencode(Call& c) {
  if (c.self.string() || !try_iterate(c.rt, c.self)) return quoted(c.rt, str_of(c.rt, c.self), false);
  std::string out;
  auto pair = [&](const Value& key, const Value& value) {
    if (!out.empty()) out += '&';
    out += quoted(c.rt, str_of(c.rt, key), true) + "=" + quoted(c.rt, str_of(c.rt, value), true);
  };
  if (auto* d = c.self.dict()) {
    for (auto& [key, value] : d->entries) pair(key, value);
    return out;
  }
  for (auto& item : collect(c.rt, c.self)) {
    Values both = collect(c.rt, item);
    if (both.size() != 2) refuse(say("there are not {} values to unpack", 2));
    pair(both[0], both[1]);
  }
  return out;
}

Value xmlattr(Call& c) {
  if (!c.self.dict()) refuse(say("a dict is needed here, not a value of type '{}'", type_name(c.self)));
  std::string out;
  for (auto& [key, value] : c.self.dict()->entries) {
    if (value.is_none() || value.undefined()) continue;
    if (!key.string() || text_of(key).find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
      refuse(say("not a valid name of an attribute: {}", repr_of(c.rt, key)));
    if (!out.empty()) out += ' ';
    out += text_of(to_markup(c.rt, key)) + "=\"" + text_of(to_markup(c.rt, value)) + "\"";
  }
  return Value(out.empty() || !c.flag(0, true) ? out : " " + out, c.rt.autoescape);
}

Value pprint(Call& c) { return pretty(c.rt, c.self); }

Value urlize(Call&) { throw Error(Kind::unsupported, say("the filter '{}' is not supported", "urlize")); }

constexpr Row rows[] = {
    {"e", "", escape},
    {"escape", "", escape},
    {"forceescape", "", forceescape},
    {"pprint", "", pprint},
    {"safe", "", safe},
    {"striptags", "", striptags},
    {"urlencode", "", urlencode},
    {"urlize", "*", urlize},
    {"xmlattr", "autospace?", xmlattr},
};

}  // namespace

const Row* html_filter(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
