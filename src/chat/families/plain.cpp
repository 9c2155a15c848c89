// Models whose makers thought of no tools: a call is a JSON object, {"name": ..., "arguments": {...}}, as the whole
// answer or in a fence, as the system text asks for (conversation.h).
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view fence = "```json";

size_t length(std::string_view body) {
  if (!body.starts_with(fence)) return json_end(body, 0);
  const size_t end = end_of(body.substr(fence.size()), "```");
  return end == not_yet ? not_yet : fence.size() + end;
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  if (body.starts_with(fence)) body.remove_prefix(fence.size());
  if (body.ends_with("```")) body.remove_suffix(3);
  return json_calls(body, cut);
}

}  // namespace

const ChatFamily plain = {
    .name = "plain",
    .fits = [](std::string_view, const Tokenizer*) { return true; },
    .openings = {fence, "{", "["},
    .bare = true,
    .length = length,
    .calls = calls,
    .head = [](std::string_view body) { return json_head(body, skipped(body, fence)); },
    .tail = [](std::string_view rest) { return json_tail(rest, {"```"}); },
    .forced = [](std::string_view f) { return json_opening("", f); },
};

}  // namespace madang::families
