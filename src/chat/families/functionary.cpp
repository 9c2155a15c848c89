// Functionary 3: >>>name and the arguments on the next line, a marker for each call; >>>all begins what is said to the
// user. Its templates end with the first marker.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = ">>>";

// The name, a line end, and JSON to its end. "all" is not a call: only its line goes.
size_t length(std::string_view body) {
  const size_t line = body.find('\n');
  if (line == body.npos) return not_yet;
  return body.substr(open.size(), line - open.size()) == "all" ? no_call : json_end(body, line);
}

CallHead head(std::string_view body) {
  CallHead found = named_head(body, skipped(body, open), {"\n"});
  if (found.name == "all") found.is = CallHead::Is::none;
  return found;
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  const size_t line = body.find('\n');
  if (line == body.npos) return {};
  return named_call(body.substr(open.size(), line - open.size()), body.substr(line), cut);
}

}  // namespace

const ChatFamily functionary = {
    .name = "functionary",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, ">>>") && contains(t, "tools"); },
    .openings = {open},
    .length = length,
    .calls = calls,
    .head = head,
    .tail = [](std::string_view rest) { return closing_tail(rest, {}); },
    .forced = [](std::string_view f) { return f.empty() ? std::string() : std::string(f) + "\n"; },
    .ending = "",
    .to_user = ">>>all\n",
    .opened = open,
};

}  // namespace madang::families
