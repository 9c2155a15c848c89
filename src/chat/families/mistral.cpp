// [TOOL_CALLS][{"name": ..., "arguments": {...}}, ...], and since Mistral Small 3.2 and Magistral
// [TOOL_CALLS]name[ARGS]{...}, a marker for each call, with [CALL_ID]id between where a model writes it.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "[TOOL_CALLS]", arguments = "[ARGS]", id = "[CALL_ID]";

size_t length(std::string_view body) {
  const size_t begin = body.find_first_not_of(" \t\r\n", open.size());
  if (begin == body.npos) return not_yet;
  if (body[begin] == '[' || body[begin] == '{') return json_end(body, begin);
  const size_t at = body.find(arguments, begin);
  if (at != body.npos) return json_end(body, at + arguments.size());
  // Without the marker the arguments follow the name.
  const size_t brace = body.find('{', begin);
  return brace == body.npos ? not_yet : json_end(body, brace);
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  const std::string_view inner = trimmed(body.substr(open.size()));
  if (inner.starts_with('[') || inner.starts_with('{')) return json_calls(inner, cut);
  const size_t name_end = std::min({inner.find(id), inner.find(arguments), inner.find('{')});
  if (name_end == inner.npos) return {};
  const size_t at = inner.find(arguments), begin = at == inner.npos ? inner.find('{') : at + arguments.size();
  if (begin == inner.npos) return {};
  return named_call(inner.substr(0, name_end), inner.substr(begin), cut);
}

}  // namespace

const ChatFamily mistral = {
    .name = "mistral",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open); },
    .openings = {open},
    .length = length,
    .calls = calls,
    .forced = [](std::string_view f) { return json_opening("[TOOL_CALLS][", f); },
    .short_ids = true,
};

}  // namespace madang::families
