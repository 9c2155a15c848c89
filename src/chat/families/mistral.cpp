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

CallHead head(std::string_view body) {
  const size_t from = skipped(body, open), begin = body.find_first_not_of(" \t\r\n", from);
  if (begin == body.npos) return {};
  if (body[begin] == '[' || body[begin] == '{') return json_head(body, begin);
  const size_t brace = body.find('{', begin);
  if (brace == body.npos) return {};
  // name, perhaps [CALL_ID] and an id, perhaps [ARGS], then the brace
  const std::string_view before = body.substr(begin, brace - begin);
  const std::string_view name = trimmed(before.substr(0, std::min(before.find(id), before.find(arguments))));
  if (name.empty() || name.find_first_of("[]\" \n") != name.npos) return {.is = CallHead::Is::none};
  return {.is = CallHead::Is::found, .name = std::string(name), .arguments = brace};
}

// After a name the arguments end the call; in JSON the object and the list do.
CallTail tail(std::string_view rest) { return json_tail(rest, {}); }

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

const ChatFamily mistral_args = {
    .name = "mistral-args",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open) && contains(t, arguments); },
    .openings = {open},
    .length = length,
    .calls = calls,
    .head = head,
    .tail = tail,
    .forced =
        [](std::string_view f) {
          return f.empty() ? std::string(open) : std::string(open) + std::string(f) + std::string(arguments);
        },
    .ending = "",
    .markers = {arguments, id},
    .short_ids = true,
};

const ChatFamily mistral = {
    .name = "mistral",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open); },
    .openings = {open},
    .length = length,
    .calls = calls,
    .head = head,
    .tail = tail,
    .forced = [](std::string_view f) { return json_opening("[TOOL_CALLS][", f); },
    .ending = "}]",
    .markers = {arguments, id},
    .short_ids = true,
};

}  // namespace madang::families
