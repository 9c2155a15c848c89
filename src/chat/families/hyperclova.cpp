// HyperCLOVA X SEED: the role of the answer goes on, " -> tool/function_call", then a list of calls in JSON.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = " -> tool/function_call\n";

}  // namespace

const ChatFamily hyperclova = {
    .name = "hyperclova",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, "tool/function_call"); },
    .openings = {open},
    .length = [](std::string_view body) { return json_end(body, open.size()); },
    .calls = [](std::string_view body, bool cut) { return json_calls(body.substr(open.size()), cut); },
    .head = [](std::string_view body) { return json_head(body, skipped(body, open)); },
    .tail = [](std::string_view rest) { return json_tail(rest, {}); },
    .forced = [](std::string_view f) { return json_opening(std::string(open) + "[", f); },
    .ending = "}]",
};

}  // namespace madang::families
