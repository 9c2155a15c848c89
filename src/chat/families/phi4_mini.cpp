// Phi-4-mini: <|tool_call|>[{"name": ..., "arguments": {...}}]<|/tool_call|>. Granite writes the same without the end.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<|tool_call|>", close = "<|/tool_call|>";

size_t length(std::string_view body) {
  const size_t json = json_end(body, open.size());
  if (json == no_call) return end_of(body, close);
  if (json == not_yet) return not_yet;
  const std::string_view rest = body.substr(json);
  if (rest.starts_with(close)) return json + close.size();
  return close.starts_with(rest) ? not_yet : json;
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::string_view inner = body.substr(open.size());
  if (inner.ends_with(close)) inner.remove_suffix(close.size());
  return json_calls(inner, cut);
}

}  // namespace

const ChatFamily phi4_mini = {
    .name = "phi-4-mini",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open) || contains(t, "<|tool|>"); },
    .openings = {open},
    .length = length,
    .calls = calls,
    .head = [](std::string_view body) { return json_head(body, skipped(body, open)); },
    .tail = [](std::string_view rest) { return json_tail(rest, {close}); },
    .forced = [](std::string_view f) { return json_opening("<|tool_call|>[", f); },
    .ending = "}]<|/tool_call|>",
    .markers = {close},
};

}  // namespace madang::families
