// DeepSeek V3 and R1: <｜tool▁calls▁begin｜>, then for each call <｜tool▁call▁begin｜>function<｜tool▁sep｜>name, a
// fence of JSON and <｜tool▁call▁end｜>, then <｜tool▁calls▁end｜>. V3.1 writes the name before the separator and no
// fence.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<｜tool▁calls▁begin｜>", close = "<｜tool▁calls▁end｜>",
                           call_open = "<｜tool▁call▁begin｜>", call_close = "<｜tool▁call▁end｜>",
                           separator = "<｜tool▁sep｜>", fence = "```json";

std::vector<ParsedCall> one_call(std::string_view text, bool cut) {
  const size_t at = text.find(separator);
  if (at == text.npos) return {};
  const std::string_view before = trimmed(text.substr(0, at)), after = text.substr(at + separator.size());
  if (before != "function") return named_call(before, after, cut);  // V3.1
  const size_t fenced = after.find(fence);
  if (fenced == after.npos) return {};
  std::string_view arguments = trimmed(after.substr(fenced + fence.size()));
  if (const size_t end = arguments.rfind("```"); end != arguments.npos) arguments = arguments.substr(0, end);
  return named_call(after.substr(0, fenced), arguments, cut);
}

CallHead head(std::string_view body) {
  size_t at = body.find_first_not_of(" \t\r\n", skipped(body, open));
  if (at == body.npos || call_open.starts_with(body.substr(at))) return {};
  if (!body.substr(at).starts_with(call_open)) return {.is = CallHead::Is::none};
  at += call_open.size();
  const size_t end = body.find(separator, at);
  if (end == body.npos) return {};
  if (trimmed(body.substr(at, end - at)) != "function") return named_head(body, at, {separator});  // V3.1
  return named_head(body, end + separator.size(), {fence});
}

// The fence, the end of the call, and the next one or the end of all.
CallTail tail(std::string_view rest) { return marked_tail(rest, {"```", call_close}, close, call_open); }

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::vector<ParsedCall> out;
  for (size_t at = body.find(call_open); at != body.npos; at = body.find(call_open, at)) {
    at += call_open.size();
    const size_t end = body.find(call_close, at);
    const auto one = one_call(body.substr(at, end == body.npos ? end : end - at), cut && end == body.npos);
    if (one.empty() && !cut) return {};
    out.insert(out.end(), one.begin(), one.end());
  }
  return out;
}

std::string forced(std::string_view function) {
  std::string out = std::string(open) + std::string(call_open) + "function" + std::string(separator);
  return function.empty() ? out : out + std::string(function) + "\n```json\n";
}

}  // namespace

const ChatFamily deepseek_31 = {
    .name = "deepseek-v3.1",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open) && !contains(t, fence); },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = calls,
    .head = head,
    .tail = tail,
    .forced =
        [](std::string_view f) {
          const std::string out = std::string(open) + std::string(call_open);
          return f.empty() ? out : out + std::string(f) + std::string(separator);
        },
    .ending = "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    .markers = {close, call_open, call_close, separator},
};

const ChatFamily deepseek = {
    .name = "deepseek",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open); },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = calls,
    .head = head,
    .tail = tail,
    .forced = forced,
    .ending = "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    .markers = {close, call_open, call_close, separator},
};

}  // namespace madang::families
