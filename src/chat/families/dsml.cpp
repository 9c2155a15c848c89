// DeepSeek V3.2 and V4: <｜DSML｜function_calls> (V4: tool_calls) around calls in tags. Each call is an invoke with the
// function's name, each argument a parameter that says whether it is a text, written as it is, or else JSON.
#include "chat/family.h"

namespace madang::families {
namespace {

constexpr std::string_view open = "<｜DSML｜function_calls>", open_4 = "<｜DSML｜tool_calls>",
                           close = "</｜DSML｜function_calls>", close_4 = "</｜DSML｜tool_calls>",
                           invoke = "<｜DSML｜invoke name=\"", invoke_end = "</｜DSML｜invoke>",
                           parameter = "<｜DSML｜parameter name=\"", parameter_end = "</｜DSML｜parameter>";

size_t length(std::string_view body) { return end_of(body, body.starts_with(open_4) ? close_4 : close); }

// Behind the function's name.
std::optional<Json> arguments_of(std::string_view text, bool cut) {
  Json out = Json::object();
  for (size_t at = 0; text.find(parameter, at) != text.npos;) {
    const std::string key(between(text, at, parameter, "\""));
    if (at == text.npos) break;
    const std::string_view kind = between(text, at, "string=\"", "\"");
    if (at == text.npos) break;
    const std::string_view value = between(text, at, ">", parameter_end);
    if (at == text.npos && !cut) return std::nullopt;
    Json json = kind == "true" ? Json(std::string(value)) : Json::parse(value, nullptr, false);
    out[key] = json.is_discarded() ? Json(std::string(value)) : std::move(json);
    if (at == text.npos) break;
  }
  return out;
}

std::vector<ParsedCall> calls(std::string_view body, bool cut) {
  std::vector<ParsedCall> out;
  for (size_t at = 0; at != body.npos && body.find(invoke, at) != body.npos;) {
    const std::string_view text = between(body, at, invoke, invoke_end);
    if (at == body.npos && !cut) return {};
    const size_t quote = text.find('"');
    if (quote == text.npos || quote == 0) {
      if (cut) break;
      return {};
    }
    const auto arguments = arguments_of(text.substr(quote), at == body.npos);
    if (!arguments) return {};
    out.push_back(
        {std::string(text.substr(0, quote)), arguments->dump(-1, ' ', false, Json::error_handler_t::replace)});
  }
  return out;
}

}  // namespace

const ChatFamily dsml = {
    .name = "deepseek-v3.2",
    .fits = [](std::string_view t, const Tokenizer*) { return contains(t, "｜DSML｜"); },
    .openings = {open, open_4},
    .length = length,
    .calls = calls,
    .forced =
        [](std::string_view f) {
          const std::string out = std::string(open) + "\n" + std::string(invoke);
          return f.empty() ? out : out + std::string(f) + "\">\n";
        },
    .ending = "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
    .markers = {"｜DSML｜"},
};

}  // namespace madang::families
