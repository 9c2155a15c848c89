// Gemma: a fence that says tool_code with calls as Python writes them, or one that says json or tool_call with calls in
// JSON. Its templates know no tools: the plain family's description is what it reads.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view code = "```tool_code", call = "```tool_call", json = "```json";

std::string_view opening_of(std::string_view body) {
  for (std::string_view open : {code, call, json})
    if (body.starts_with(open)) return open;
  return {};
}

size_t length(std::string_view body) {
  if (body.starts_with('{')) return json_end(body, 0);
  const size_t skipped = opening_of(body).size(), end = end_of(body.substr(skipped), "```");
  return end == not_yet ? not_yet : skipped + end;
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  if (body.starts_with('{')) return json_calls(body, cut);
  std::string_view inner = body.substr(opening_of(body).size());
  if (inner.ends_with("```")) inner.remove_suffix(3);
  inner = trimmed(inner);
  auto out = json_calls(inner, cut);
  if (!out.empty()) return out;
  constexpr std::string_view print = "print(";  // some wrap the call so
  if (inner.starts_with(print) && inner.ends_with("))"))
    inner = inner.substr(print.size(), inner.size() - print.size() - 1);
  return python_calls(inner, cut);
}

}  // namespace

const ChatFamily gemma = {
    .name = "gemma",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, "<start_of_turn>"); },
    .openings = {code, call, json, "{"},
    .bare = true,
    .length = length,
    .calls = calls,
    .head = [](std::string_view body) { return json_head(body, opening_of(body).size()); },
    .tail = [](std::string_view rest) { return json_tail(rest, {"```"}); },
    .forced = [](std::string_view f) { return json_opening("", f); },
};

}  // namespace madang::families
