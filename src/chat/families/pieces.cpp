// What families share: JSON and Python calls, whole and cut off.
#include <algorithm>
#include <cctype>

#include "chat/family.h"
#include "chat/marker.h"

namespace madang::families {
namespace {

std::optional<Json> parsed(std::string_view text) {
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

// Arguments as JSON text; some models write them as a text that holds JSON.
std::string arguments_text(const Json& value) {
  if (value.is_string()) {
    const auto inner = parsed(value.get_ref<const std::string&>());
    return inner && inner->is_object() ? value.get<std::string>() : value.dump();
  }
  return value.is_null() ? "{}" : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<ParsedCall> call_of(const Json& value) {
  if (!value.is_object()) return std::nullopt;
  const Json& inner = value.contains("function") && value["function"].is_object() ? value["function"] : value;
  ParsedCall call;
  for (const char* key : {"name", "tool_name", "function"})
    if (inner.contains(key) && inner[key].is_string()) {
      call.name = inner[key].get<std::string>();
      break;
    }
  if (call.name.empty()) return std::nullopt;
  call.arguments = "{}";
  for (const char* key : {"arguments", "parameters"})
    if (inner.contains(key)) {
      call.arguments = arguments_text(inner[key]);
      break;
    }
  return call;
}

// After "key" and a colon: where the value begins, or npos.
size_t value_of(std::string_view text, std::string_view key) {
  const std::string quoted = '"' + std::string(key) + '"';
  const size_t at = text.find(quoted);
  if (at == text.npos) return at;
  const size_t colon = text.find_first_not_of(blanks, at + quoted.size());
  if (colon == text.npos || text[colon] != ':') return text.npos;
  return std::min(text.find_first_not_of(blanks, colon + 1), text.size());
}

// {"name": "f", "arguments": {"a": 1   as far as it came
std::vector<ParsedCall> cut_call(std::string_view text) {
  for (const char* key : {"name", "tool_name"}) {
    const size_t name = value_of(text, key);
    if (name == text.npos || name >= text.size() || text[name] != '"') continue;
    const size_t end = text.find('"', name + 1);
    if (end == text.npos || end == name + 1) continue;
    ParsedCall call{std::string(text.substr(name + 1, end - name - 1)), ""};
    for (const char* arguments : {"arguments", "parameters"})
      if (const size_t at = value_of(text, arguments); at != text.npos) {
        const std::string_view rest = text.substr(at);
        const size_t whole = json_end(rest, 0);
        call.arguments = std::string(whole != not_yet && whole != no_call ? rest.substr(0, whole) : rest);
      }
    return {call};
  }
  return {};
}

// A value of a Python literal, as JSON.
class Python {
 public:
  explicit Python(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  void skip() { at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size()); }
  bool take(char c) {
    skip();
    if (done() || text_[at_] != c) return false;
    return ++at_, true;
  }
  std::string name() {
    skip();
    const size_t from = at_;
    while (!done() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '.' ||
                       text_[at_] == '-'))
      ++at_;
    return std::string(text_.substr(from, at_ - from));
  }
  std::optional<Json> value(int depth = 0) {
    skip();
    if (done() || depth > 64) return std::nullopt;
    const char c = text_[at_];
    if (c == '"' || c == '\'') return quoted(c);
    if (c == '[' || c == '(') return list(c == '[' ? ']' : ')', depth);
    if (c == '{') return object(depth);
    const size_t from = at_;
    while (!done() && std::string_view(",)]} \t\r\n:=").find(text_[at_]) == std::string_view::npos) ++at_;
    const std::string_view word = text_.substr(from, at_ - from);
    if (word == "True" || word == "true") return Json(true);
    if (word == "False" || word == "false") return Json(false);
    if (word == "None" || word == "null") return Json(nullptr);
    auto number = parsed(word);
    return number && number->is_number() ? number : std::nullopt;
  }

 private:
  std::optional<Json> quoted(char quote) {
    std::string out;
    for (++at_; !done() && text_[at_] != quote; ++at_) {
      if (text_[at_] != '\\' || at_ + 1 == text_.size()) {
        out += text_[at_];
        continue;
      }
      const char next = text_[++at_];
      if (next == 'u' && at_ + 4 < text_.size()) {
        const auto letter = parsed('"' + std::string(text_.substr(at_ - 1, 6)) + '"');
        if (letter) out += letter->get<std::string>();
        at_ += 4;
      } else {
        out += next == 'n' ? '\n' : next == 't' ? '\t' : next == 'r' ? '\r' : next;
      }
    }
    if (!take(quote)) return std::nullopt;
    return Json(std::move(out));
  }
  std::optional<Json> list(char close, int depth) {
    Json out = Json::array();
    ++at_;
    while (!take(close)) {
      auto v = value(depth + 1);
      if (!v) return v;
      out.push_back(std::move(*v));
      if (!take(',') && (skip(), done() || text_[at_] != close)) return std::nullopt;
    }
    return out;
  }
  std::optional<Json> object(int depth) {
    Json out = Json::object();
    ++at_;
    while (!take('}')) {
      auto key = value(depth + 1);
      if (!key || !key->is_string() || !take(':')) return std::nullopt;
      auto v = value(depth + 1);
      if (!v) return v;
      out[key->get<std::string>()] = std::move(*v);
      if (!take(',') && (skip(), done() || text_[at_] != '}')) return std::nullopt;
    }
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

// f(a=1, b="x"); null arguments of a call that was cut off are those that came whole.
std::optional<ParsedCall> python_call(Python& in, bool cut) {
  ParsedCall call{in.name(), ""};
  if (call.name.empty() || !in.take('(')) return std::nullopt;
  Json arguments = Json::object();
  while (!in.take(')')) {
    const std::string key = in.name();
    auto value = key.empty() || !in.take('=') ? std::nullopt : in.value();
    if (!value) {
      if (!cut) return std::nullopt;
      break;
    }
    arguments[key] = std::move(*value);
    if (!in.take(',') && (in.skip(), in.done())) {
      if (!cut) return std::nullopt;
      break;
    }
  }
  call.arguments = arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
  return call;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(blanks);
  return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(blanks) + 1 - begin);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

size_t json_end(std::string_view text, size_t from) {
  const size_t begin = text.find_first_not_of(blanks, from);
  if (begin == text.npos) return not_yet;
  if (text[begin] != '{' && text[begin] != '[') return no_call;
  int depth = 0;
  bool quoted = false;
  for (size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return i + 1;
    }
  }
  return not_yet;
}

size_t end_of(std::string_view text, std::string_view close) {
  const size_t at = text.find(close);
  return at == text.npos ? not_yet : at + close.size();
}

std::string_view between(std::string_view text, size_t& at, std::string_view from, std::string_view to) {
  const size_t begin = text.find(from, at);
  if (begin == text.npos) return at = text.npos, std::string_view();
  const size_t inner = begin + from.size(), end = text.find(to, inner);
  at = end == text.npos ? end : end + to.size();
  return text.substr(inner, end == text.npos ? end : end - inner);
}

std::vector<ParsedCall> json_calls(std::string_view text, bool cut) {
  text = trimmed(text);
  const auto value = parsed(text);
  if (!value) return cut ? cut_call(text) : std::vector<ParsedCall>();
  std::vector<ParsedCall> out;
  if (value->is_array()) {
    for (const Json& item : *value) {
      auto call = call_of(item);
      if (!call) return {};
      out.push_back(std::move(*call));
    }
  } else if (auto call = call_of(*value)) {
    out.push_back(std::move(*call));
  }
  return out;
}

std::vector<ParsedCall> python_calls(std::string_view text, bool cut) {
  Python in(trimmed(text));
  const bool listed = in.take('[');
  std::vector<ParsedCall> out;
  while (true) {
    auto call = python_call(in, cut);
    if (!call) return cut ? out : std::vector<ParsedCall>();
    out.push_back(std::move(*call));
    if (!in.take(',')) break;
  }
  const bool closed = !listed || in.take(']');
  in.skip();
  return (closed && in.done()) || cut ? out : std::vector<ParsedCall>();
}

std::vector<ParsedCall> named_call(std::string_view name, std::string_view arguments, bool cut) {
  name = trimmed(name), arguments = trimmed(arguments);
  if (name.empty() || name.find_first_of("{[\"\n ") != name.npos) return {};
  if (!cut && !arguments.empty() && !parsed(arguments)) return {};
  return {{std::string(name), arguments.empty() && !cut ? "{}" : std::string(arguments)}};
}

std::string json_opening(std::string_view before, std::string_view function, std::string_view name,
                         std::string_view arguments) {
  std::string out = std::string(before) + "{\"" + std::string(name) + "\": \"";
  if (!function.empty()) out += std::string(function) + "\", \"" + std::string(arguments) + "\": {";
  return out;
}

}  // namespace madang::families
