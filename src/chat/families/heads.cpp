// What families share to pass arguments on as they come: where a call's JSON begins, and what follows it.
#include <algorithm>

#include "chat/family.h"
#include "chat/marker.h"

namespace madang::families {
namespace {

const CallHead unknown_head{}, no_head = {.is = CallHead::Is::none};

size_t after_blanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(blanks, at), text.size());
}

// One past the quote that closes the text at `at`; not_yet.
size_t string_end(std::string_view text, size_t at) {
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return not_yet;
}

// One past the JSON value at `at`; not_yet. A number ends where something else begins.
size_t value_end(std::string_view text, size_t at) {
  if (text[at] == '"') return string_end(text, at);
  if (text[at] == '{' || text[at] == '[') return json_end(text, at);
  const size_t end = text.find_first_of(",}] \t\r\n", at);
  return end == text.npos ? not_yet : end;
}

struct Field {
  enum class Is { unknown, none, found } is = Is::unknown;
  std::string_view key;
  size_t value = 0;  // where it begins
};

// "key": and blanks, at `at`.
Field field(std::string_view text, size_t at) {
  if (text[at] != '"') return {.is = Field::Is::none, .key = {}};
  const size_t end = string_end(text, at);
  if (end == not_yet) return {};
  const size_t colon = after_blanks(text, end);
  if (colon == text.size()) return {};
  if (text[colon] != ':') return {.is = Field::Is::none, .key = {}};
  const size_t value = after_blanks(text, colon + 1);
  if (value == text.size()) return {};
  return {.is = Field::Is::found, .key = text.substr(at + 1, end - at - 2), .value = value};
}

bool is_name(std::string_view key) { return key == "name" || key == "tool_name" || key == "function"; }

}  // namespace

size_t skipped(std::string_view body, std::string_view opening) {
  return body.starts_with(opening) ? opening.size() : 0;
}

CallHead json_head(std::string_view text, size_t from) {
  size_t at = after_blanks(text, from);
  if (at < text.size() && text[at] == '[') at = after_blanks(text, at + 1);
  if (at == text.size()) return unknown_head;
  if (text[at] != '{') return no_head;
  std::string name;
  for (++at;;) {
    at = after_blanks(text, at);
    if (at < text.size() && text[at] == ',') at = after_blanks(text, at + 1);
    if (at == text.size()) return unknown_head;
    const Field f = field(text, at);
    if (f.is != Field::Is::found) return f.is == Field::Is::none ? no_head : unknown_head;
    if (f.key == "arguments" || f.key == "parameters") {
      if (name.empty() || text[f.value] != '{') return no_head;
      return {.is = CallHead::Is::found, .name = name, .arguments = f.value};
    }
    const size_t end = value_end(text, f.value);
    if (end == not_yet) return unknown_head;
    if (end == no_call) return no_head;
    if (is_name(f.key)) {
      const Json value = Json::parse(text.substr(f.value, end - f.value), nullptr, false);
      if (!value.is_string()) return no_head;
      name = value.get<std::string>();
    }
    at = end;
  }
}

CallHead named_head(std::string_view text, size_t from, std::initializer_list<std::string_view> ends) {
  constexpr size_t longest = 256;  // OpenAI allows names of 64 bytes
  size_t end = text.npos, size = 0;
  for (std::string_view mark : ends)
    if (const size_t found = text.find(mark, from); found < end) end = found, size = mark.size();
  if (end == text.npos) return text.size() - from > longest ? no_head : unknown_head;
  const std::string_view name = trimmed(text.substr(from, end - from));
  if (name.empty() || name.size() > longest || name.find_first_of("{}[]<>\"` \t\r\n") != name.npos) return no_head;
  const size_t at = after_blanks(text, end + size);
  if (at == text.size()) return unknown_head;
  if (text[at] != '{') return no_head;
  return {.is = CallHead::Is::found, .name = std::string(name), .arguments = at};
}

CallTail closing_tail(std::string_view rest, std::initializer_list<std::string_view> closings) {
  const std::string_view text = rest.substr(after_blanks(rest, 0));
  bool possible = false;
  for (std::string_view closing : closings) {
    if (text.starts_with(closing)) return {CallTail::Is::over, rest.size() - text.size() + closing.size()};
    possible |= closing.starts_with(text);
  }
  if (possible) return {};
  return {CallTail::Is::over, 0};
}

CallTail marked_tail(std::string_view rest, std::initializer_list<std::string_view> ends, std::string_view close,
                     std::string_view next) {
  size_t at = 0;
  for (std::string_view end : ends) {
    const CallTail one = closing_tail(rest.substr(at), {end});
    if (one.is == CallTail::Is::unknown) return one;
    at += one.size;
  }
  CallTail last = closing_tail(rest.substr(at), {close, next});
  last.size += at;
  if (rest.substr(0, last.size).ends_with(next)) return {CallTail::Is::next, last.size - next.size()};
  return last;
}

CallTail json_tail(std::string_view rest, std::initializer_list<std::string_view> closings) {
  auto closed = [&](size_t at) {
    CallTail tail = closing_tail(rest.substr(at), closings);
    if (tail.is == CallTail::Is::over) tail.size += at;
    return tail;
  };
  size_t at = after_blanks(rest, 0);
  while (at < rest.size() && rest[at] == ',') {  // other fields
    const size_t key = after_blanks(rest, at + 1);
    if (key == rest.size()) return {};
    const Field f = field(rest, key);
    if (f.is == Field::Is::unknown) return {};
    if (f.is == Field::Is::none) return closed(at);
    const size_t end = value_end(rest, f.value);
    if (end == not_yet) return {};
    if (end == no_call) return closed(at);
    at = after_blanks(rest, end);
  }
  if (at == rest.size()) return {};
  if (rest[at] != '}') return closed(0);
  const size_t object_end = at + 1;
  at = after_blanks(rest, object_end);
  if (at == rest.size()) return {};
  if (rest[at] == ',') {
    const size_t next = after_blanks(rest, at + 1);
    if (next == rest.size()) return {};
    if (rest[next] == '{') return {CallTail::Is::next, next};
    return {CallTail::Is::over, object_end};
  }
  return closed(rest[at] == ']' ? at + 1 : object_end);
}

}  // namespace madang::families
