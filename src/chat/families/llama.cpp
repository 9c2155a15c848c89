// Llama 3 and 4: {"name": ..., "parameters": {...}} as the whole answer, after <|python_tag|> or not, several with "; "
// between; or a list as Python writes it, [f(a=1), g()].
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view tag = "<|python_tag|>";

std::string_view inner_of(std::string_view body) {
  if (body.starts_with(tag)) body.remove_prefix(tag.size());
  return trimmed(body);
}

// A Python list ends where its brackets do, outside of quotes of either kind.
size_t list_end(std::string_view text) {
  int depth = 0;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote) {
      if (c == '\\')
        ++i;
      else if (c == quote)
        quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '(' || c == '{') {
      ++depth;
    } else if ((c == ']' || c == ')' || c == '}') && --depth == 0) {
      return i + 1;
    }
  }
  return not_yet;
}

size_t length(std::string_view body) {
  const size_t skipped = body.starts_with(tag) ? tag.size() : 0;
  const size_t begin = body.find_first_not_of(" \t\r\n", skipped);
  if (begin == body.npos) return not_yet;
  if (body[begin] == '{') return json_end(body, begin);
  if (body[begin] != '[') return no_call;
  const size_t end = list_end(body.substr(begin));
  return end == not_yet ? not_yet : begin + end;
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  const std::string_view inner = inner_of(body);
  if (inner.starts_with('[')) {
    auto listed = python_calls(inner, cut);
    return listed.empty() ? json_calls(inner, cut) : listed;
  }
  return json_calls(inner, cut);
}

}  // namespace

const ChatFamily llama = {
    .name = "llama",
    .fits =
        [](std::string_view t, const Tokenizer*) {
          return contains(t, tag) || contains(t, "<|header_start|>") ||
                 (contains(t, "<|start_header_id|>") && contains(t, "tools"));
        },
    .openings = {tag, "{", "["},
    .bare = true,
    .length = length,
    .calls = calls,
    .head = [](std::string_view body) { return json_head(body, skipped(body, tag)); },
    .tail = [](std::string_view rest) { return json_tail(rest, {}); },
    .forced = [](std::string_view f) { return json_opening("", f, "name", "parameters"); },
};

}  // namespace madang::families
