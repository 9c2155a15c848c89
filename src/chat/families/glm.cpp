// GLM 4.5 and later: <tool_call>name, then for each argument <arg_key>key</arg_key> and <arg_value>value</arg_value>,
// with line ends between or none, then </tool_call>. Texts are written as they are, other values as JSON.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<tool_call>", close = "</tool_call>", key_open = "<arg_key>",
                           key_close = "</arg_key>", value_open = "<arg_value>", value_close = "</arg_value>";

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::string_view text = body.substr(skipped(body, open));
  if (text.ends_with(close)) text.remove_suffix(close.size());
  size_t at = std::min(text.find(key_open), text.size());
  if (at == text.size() && cut) at = std::min(text.find('\n'), text.size());
  const std::string_view name = trimmed(text.substr(0, at));
  if (name.empty() || name.find_first_of(" \t\r\n<>{}[]\"") != name.npos) return {};
  Json arguments = Json::object();
  while (text.find(key_open, std::min(at, text.size())) != text.npos) {
    const std::string key(trimmed(between(text, at, key_open, key_close)));
    if (at == text.npos) break;
    const std::string_view value = between(text, at, value_open, value_close);
    if (at == text.npos && !cut) return {};
    Json json = Json::parse(value, nullptr, false);
    arguments[key] = json.is_discarded() || json.is_string() ? Json(std::string(value)) : std::move(json);
  }
  return {{std::string(name), arguments.dump(-1, ' ', false, Json::error_handler_t::replace)}};
}

}  // namespace

const ChatFamily glm = {
    .name = "glm",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, key_open) && contains(t, open); },
    .openings = {open},
    .length = [](std::string_view body) { return end_of(body, close); },
    .calls = calls,
    .forced = [](std::string_view f) { return std::string(open) + std::string(f) + (f.empty() ? "" : "\n"); },
    .ending = close,
    .markers = {close, key_open, key_close, value_open, value_close},
};

}  // namespace madang::families
