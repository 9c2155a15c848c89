// <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Hermes, Qwen 2.5 and 3, EXAONE 4, SmolLM3, Kanana 1.5 and
// many more; and Qwen3-Coder's form inside the same tags: <function=f><parameter=p>value</parameter></function>, which
// Seed-OSS writes between tags of its own.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<tool_call>", close = "</tool_call>",
                           function = "<function=", seed_open = "<seed:tool_call>", seed_close = "</seed:tool_call>";

// The call is over with its closing tag, or where the JSON is over and something else follows.
size_t length(std::string_view body) {
  const std::string_view inner = body.substr(open.size());
  if (trimmed(inner).empty()) return not_yet;
  const size_t json = json_end(inner, 0);
  if (json == not_yet) return not_yet;
  if (json == no_call) return end_of(body, close);
  const std::string_view rest = inner.substr(json);
  const size_t begin = rest.find_first_not_of(" \t\r\n");
  if (begin == rest.npos) return not_yet;
  const std::string_view tag = rest.substr(begin);
  if (tag.starts_with(close)) return open.size() + json + begin + close.size();
  return close.starts_with(tag) ? not_yet : open.size() + json;
}

std::vector<ParsedCall> written_as_tags(std::string_view text) {
  text.remove_prefix(function.size());
  const size_t name_end = text.find('>');
  if (name_end == text.npos) return {};
  ParsedCall call{std::string(trimmed(text.substr(0, name_end))), ""};
  if (call.name.empty()) return {};
  Json arguments = Json::object();
  constexpr std::string_view parameter = "<parameter=", parameter_end = "</parameter>";
  for (size_t at = text.find(parameter); at != text.npos; at = text.find(parameter, at)) {
    const size_t key_end = text.find('>', at), end = text.find(parameter_end, at);
    if (key_end == text.npos) break;
    const std::string key(trimmed(text.substr(at + parameter.size(), key_end - at - parameter.size())));
    std::string_view value = text.substr(key_end + 1, end == text.npos ? end : end - key_end - 1);
    // One line end on each side belongs to the tags.
    if (value.starts_with('\n')) value.remove_prefix(1);
    if (value.ends_with('\n')) value.remove_suffix(1);
    Json json = Json::parse(value, nullptr, false);
    arguments[key] = json.is_discarded() || json.is_string() ? Json(std::string(value)) : std::move(json);
    if (end == text.npos) break;
    at = end;
  }
  call.arguments = arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {call};
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::string_view inner = body.substr(open.size());
  if (inner.ends_with(close)) inner.remove_suffix(close.size());
  inner = trimmed(inner);
  return inner.starts_with(function) ? written_as_tags(inner) : json_calls(inner, cut);
}

std::vector<ParsedCall> seed_calls(std::string_view body, bool cut) {
  std::string_view inner = body.substr(seed_open.size());
  const bool whole = inner.ends_with(seed_close);
  if (whole) inner.remove_suffix(seed_close.size());
  inner = trimmed(inner);
  if (!inner.starts_with(function) || (!whole && !cut)) return {};
  return written_as_tags(inner);
}

}  // namespace

const ChatFamily seed = {
    .name = "seed",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, seed_open); },
    .openings = {seed_open},
    .length = [](std::string_view body) { return end_of(body, seed_close); },
    .calls = seed_calls,
    .forced =
        [](std::string_view f) {
          const std::string out = std::string(seed_open) + "\n" + std::string(function);
          return f.empty() ? out : out + std::string(f) + ">\n";
        },
    .ending = "</function>\n</seed:tool_call>",
    .markers = {seed_close},
};

const ChatFamily hermes = {
    .name = "hermes",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, open); },
    .openings = {open},
    .length = length,
    .calls = calls,
    .head = [](std::string_view body) { return json_head(body, skipped(body, open)); },
    .tail = [](std::string_view rest) { return json_tail(rest, {close}); },
    .forced = [](std::string_view f) { return json_opening("<tool_call>\n", f); },
    .ending = "}\n</tool_call>",
    .markers = {close},
};

}  // namespace madang::families
