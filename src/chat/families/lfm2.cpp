// LFM2: <|tool_call_start|>[f(a=1, b="x"), g()]<|tool_call_end|>, as Python writes calls, or in JSON where it was asked
// to. Newer templates name no marker for tools: the tokens tell the family.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<|tool_call_start|>", close = "<|tool_call_end|>";

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::string_view inner = body.substr(skipped(body, open));
  if (inner.ends_with(close)) inner.remove_suffix(close.size());
  auto listed = python_calls(inner, cut);
  return listed.empty() ? json_calls(inner, cut) : listed;
}

}  // namespace

const ChatFamily lfm2 = {
    .name = "lfm2",
    .fits =
        [](std::string_view t, const Tokenizer* tokenizer) {
          return contains(t, "<|tool_list_start|>") || (tokenizer && tokenizer->id_of(open));
        },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = calls,
    .forced =
        [](std::string_view f) { return std::string(open) + "[" + (f.empty() ? std::string() : std::string(f) + "("); },
    .ending = ")]<|tool_call_end|>",
    .markers = {close},
};

}  // namespace madang::families
