// <function=f>{...}</function>: Kanana 1.5, and Llama 3.1's form for its own tools.
#include <fmt/format.h>

#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<function=", close = "</function>";

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::string_view inner = body.substr(open.size());
  if (inner.ends_with(close)) inner.remove_suffix(close.size());
  const size_t end = inner.find('>');
  if (end == inner.npos) return {};
  return named_call(inner.substr(0, end), inner.substr(end + 1), cut);
}

}  // namespace

const ChatFamily kanana = {
    .name = "kanana",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open) && !contains(t, "<tool_call>"); },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = calls,
    .head = [](std::string_view body) { return named_head(body, skipped(body, open), {">"}); },
    .tail = [](std::string_view rest) { return closing_tail(rest, {close}); },
    .forced = [](std::string_view f) { return f.empty() ? std::string(open) : fmt::format("<function={}>", f); },
    .ending = close,
    .markers = {"<function=", close},
};

}  // namespace madang::families
