// Command R and R+: "Action:" and a fence of JSON, [{"tool_name": ..., "parameters": {...}}]. Command R7B and A: the
// same list between <|START_ACTION|> and <|END_ACTION|>. The tool "directly_answer" means that there is no call.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view fence = "Action: ```json", open = "<|START_ACTION|>", close = "<|END_ACTION|>";

std::vector<ParsedCall> without_direct_answers(std::vector<ParsedCall> calls) {
  std::erase_if(calls, [](const ParsedCall& c) { return c.name == "directly_answer" || c.name == "directly-answer"; });
  return calls;
}

// Read whole, it turns out to be none.
CallHead indirect(CallHead head) {
  if (head.name == "directly_answer" || head.name == "directly-answer") head.is = CallHead::Is::none;
  return head;
}

size_t fence_end(std::string_view body) {
  const size_t end = end_of(body.substr(fence.size()), "```");
  return end == not_yet ? not_yet : fence.size() + end;
}

std::vector<ParsedCall> fenced(std::string_view body, bool cut) {
  std::string_view inner = body.substr(fence.size());
  if (inner.ends_with("```")) inner.remove_suffix(3);
  return without_direct_answers(json_calls(inner, cut));
}

std::vector<ParsedCall> marked(std::string_view body, bool cut) {
  std::string_view inner = body.substr(open.size());
  if (inner.ends_with(close)) inner.remove_suffix(close.size());
  return without_direct_answers(json_calls(inner, cut));
}

}  // namespace

const ChatFamily command_r = {
    .name = "command-r",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, "<|START_OF_TURN_TOKEN|>"); },
    .openings = {fence},
    .length = fence_end,
    .calls = fenced,
    .head = [](std::string_view body) { return indirect(json_head(body, skipped(body, fence))); },
    .tail = [](std::string_view rest) { return json_tail(rest, {"```"}); },
    .forced = [](std::string_view f) { return json_opening("Action: ```json\n[\n    ", f, "tool_name", "parameters"); },
    .ending = "\n    }\n]```",
};

const ChatFamily command_r7b = {
    .name = "command-r7b",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open); },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = marked,
    .head = [](std::string_view body) { return indirect(json_head(body, skipped(body, open))); },
    .tail = [](std::string_view rest) { return json_tail(rest, {close}); },
    .forced = [](std::string_view f) { return json_opening("<|START_ACTION|>[\n    ", f, "tool_name", "parameters"); },
    .ending = "}\n]<|END_ACTION|>",
    .markers = {close},
};

}  // namespace madang::families
