// Kimi K2: <|tool_calls_section_begin|>, then for each call <|tool_call_begin|>functions.name:0, a mark, JSON and
// <|tool_call_end|>, then <|tool_calls_section_end|>.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<|tool_calls_section_begin|>", close = "<|tool_calls_section_end|>",
                           call_open = "<|tool_call_begin|>", call_close = "<|tool_call_end|>",
                           arguments = "<|tool_call_argument_begin|>";

// "functions.name:0" -> "name": the number counts the calls of the conversation.
std::string_view name_of(std::string_view id) {
  id = trimmed(id);
  constexpr std::string_view kind = "functions.";
  if (id.starts_with(kind)) id.remove_prefix(kind.size());
  const size_t colon = id.rfind(':');
  const bool numbered = colon != id.npos && id.find_first_not_of("0123456789", colon + 1) == id.npos;
  return numbered ? id.substr(0, colon) : id;
}

CallHead head(std::string_view body) {
  size_t at = body.find_first_not_of(" \t\r\n", skipped(body, open));
  if (at == body.npos || call_open.starts_with(body.substr(at))) return {};
  if (!body.substr(at).starts_with(call_open)) return {.is = CallHead::Is::none};
  CallHead found = named_head(body, at + call_open.size(), {arguments});
  found.name = name_of(found.name);
  if (found.is == CallHead::Is::found && found.name.empty()) found.is = CallHead::Is::none;
  return found;
}

CallTail tail(std::string_view rest) { return marked_tail(rest, {call_close}, close, call_open); }

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::vector<ParsedCall> out;
  for (size_t at = body.find(call_open); at != body.npos; at = body.find(call_open, at)) {
    at += call_open.size();
    const size_t end = body.find(call_close, at);
    const std::string_view text = body.substr(at, end == body.npos ? end : end - at);
    const size_t mark = text.find(arguments);
    const bool open_ended = cut && end == body.npos;
    if (mark == text.npos && !cut) return {};
    if (mark == text.npos) continue;
    const auto one = named_call(name_of(text.substr(0, mark)), text.substr(mark + arguments.size()), open_ended);
    if (one.empty() && !cut) return {};
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

}  // namespace

const ChatFamily kimi = {
    .name = "kimi",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open); },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = calls,
    .head = head,
    .tail = tail,
    .forced =
        [](std::string_view f) {
          const std::string out = std::string(open) + std::string(call_open) + "functions.";
          return f.empty() ? out : out + std::string(f) + ":0" + std::string(arguments);
        },
    .ending = "<|tool_call_end|><|tool_calls_section_end|>",
    .markers = {close, call_open, call_close, arguments},
};

}  // namespace madang::families
