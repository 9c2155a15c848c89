#include "serve/api/chat_request.h"

#include <algorithm>
#include <array>

#include "serve/api/sampling.h"
#include "serve/api/strict.h"
#include "serve/fields.h"

namespace madang {
namespace {

void read_tools(Fields& fields, TalkRequest& out) {
  const Json* tools = fields.array("tools");
  for (size_t i = 0; tools && i < tools->size(); ++i) {
    Fields tool((*tools)[i], "tools[" + std::to_string(i) + "]");
    const auto type = tool.need("type", tool.text("type"));
    if (type != "function") throw not_built(tool.path("type"), say("tools of type '{}' are not built yet", type));
    Fields function(tool.need("function", tool.object("function")), tool.path("function"));
    tool.finish();
    function.need("name", function.text("name"));
    function.text("description");
    function.object("parameters");
    refuse_strict(function);
    function.finish();
    out.tools.push_back((*tools)[i]);
  }
}

std::string tool_name(const Json& tool, const std::string& path) {
  Fields f(tool, path);
  f.need("type", f.choice("type", {"function"}));
  Fields function(f.need("function", f.object("function")), f.path("function"));
  f.finish();
  auto name = function.need("name", function.text("name"));
  function.finish();
  return name;
}

// {"mode": "auto", "tools": [...]}: only those of the tools that it names.
void keep_allowed(const Json& allowed, TalkRequest& out) {
  Fields f(allowed, "tool_choice.allowed_tools");
  out.tool_choice = f.need("mode", f.choice("mode", {"auto", "required"}));
  const Json& tools = f.need("tools", f.array("tools"));
  f.finish();
  Json kept = Json::array();
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string path = f.path("tools") + "[" + std::to_string(i) + "]";
    const std::string name = tool_name(tools[i], path);
    const auto found = std::ranges::find_if(out.tools, [&](const Json& t) { return t["function"]["name"] == name; });
    if (found == out.tools.end()) throw Problem(say("there is no tool named '{}'", name), path, "invalid_value");
    kept.push_back(*found);
  }
  out.tools = std::move(kept);
}

void read_tool_choice(Fields& fields, TalkRequest& out) {
  const Json* choice = fields.any("tool_choice");
  if (!choice) return;
  if (!choice->is_object()) {
    out.tool_choice = *fields.choice("tool_choice", {"none", "auto", "required"});
  } else {
    Fields f(*choice, "tool_choice");
    const auto type = f.need("type", f.text("type"));
    if (type == "allowed_tools") {
      const Json& allowed = f.need("allowed_tools", f.object("allowed_tools"));
      f.finish();
      keep_allowed(allowed, out);
    } else if (type == "function") {
      out.tool_choice = {{"type", "function"}, {"function", {{"name", tool_name(*choice, "tool_choice")}}}};
    } else {
      throw not_built("tool_choice.type", say("tools of type '{}' are not built yet", type));
    }
  }
  const bool needs = out.tool_choice.is_object() || out.tool_choice == "required";
  if (needs && out.tools.empty())
    throw Problem(say("'{}' is only allowed when '{}' is given", "tool_choice", "tools"), "tool_choice",
                  "invalid_value");
}

// What makes a template's render, and is not the request's to choose.
constexpr std::array<std::string_view, 6> ours = {"messages",  "tools",    "documents", "add_generation_prompt",
                                                  "bos_token", "eos_token"};

void read_template_variables(Fields& fields, TalkRequest& out) {
  const auto effort = fields.choice("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh", "max"});
  if (effort) out.template_variables["reasoning_effort"] = *effort;
  if (effort == "none") out.template_variables["enable_thinking"] = false;
  const Json* variables = fields.object("chat_template_kwargs");
  if (!variables) return;
  for (const auto& [name, value] : variables->items()) {
    if (std::ranges::find(ours, name) != ours.end())
      throw Problem(say("'{}' cannot be set this way", name), "chat_template_kwargs." + name, "invalid_value");
    out.template_variables[name] = value;
  }
}

void read_logprobs(Fields& fields, TalkRequest& out) {
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top && !wanted)
    throw Problem(say("'{}' is only allowed when '{}' is enabled", "top_logprobs", "logprobs"), "top_logprobs",
                  "invalid_value");
  if (wanted) out.top_logprobs = static_cast<int>(top.value_or(0));
}

void read_max_tokens(Fields& fields, TalkRequest& out) {
  const auto older = fields.integer("max_tokens", 1, INT32_MAX);
  out.max_tokens = fields.integer("max_completion_tokens", 1, INT32_MAX);
  if (older && out.max_tokens)
    throw Problem(say("'{}' and '{}' cannot both be given", "max_tokens", "max_completion_tokens"), "max_tokens",
                  "invalid_value");
  if (older) out.max_tokens = older;
}

void read_one_valued(Fields& fields) {
  if (const Json* format = fields.object("response_format")) {
    Fields f(*format, "response_format");
    const auto type = f.need("type", f.choice("type", {"text", "json_object", "json_schema"}));
    if (type != "text") throw not_built(f.path("type"), say("response_format '{}' is not built yet", type));
    f.finish();
  }
  if (const Json* modalities = fields.array("modalities"))
    for (const Json& m : *modalities)
      if (m != "text") throw not_built("modalities", say("answers are text: other modalities are not built yet"));
  const auto verbosity = fields.choice("verbosity", {"low", "medium", "high"});
  if (verbosity.value_or("medium") != "medium")
    throw not_built("verbosity", say("no open model knows '{}': ask for short or long answers in words", "verbosity"));
  if (fields.boolean("store").value_or(false))
    throw not_built("store", say("chat completions are not stored: use /v1/responses"));
}

void read_rest(Fields& fields) {
  read_one_valued(fields);
  fields.choice("service_tier", {"auto", "default", "flex", "scale", "priority", "fast"});
  fields.accept({"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
                 "prompt_cache_options", "prediction"});
  fields.refuse("audio", say("answers are text: other modalities are not built yet"));
  fields.refuse("web_search_options", say("searching the web is not built"));
  fields.refuse("moderation", say("moderation is not built"));
  fields.refuse("functions", say("'{}' is OpenAI's older form: use '{}'", "functions", "tools"));
  fields.refuse("function_call", say("'{}' is OpenAI's older form: use '{}'", "function_call", "tool_choice"));
}

}  // namespace

void read_conversation(Fields& fields, TalkRequest& out) {
  out.messages = fields.need("messages", fields.array("messages"));
  if (out.messages.empty()) throw Problem(say("'{}' is empty", "messages"), "messages", "empty_array");
  read_tools(fields, out);
  read_tool_choice(fields, out);
  read_template_variables(fields, out);
}

ChatRequest read_chat_request(const Json& body) {
  Fields fields(body, "");
  ChatRequest out;
  out.talk.model = fields.name("model");
  read_conversation(fields, out.talk);
  out.talk.parallel_tool_calls = fields.boolean("parallel_tool_calls").value_or(true);
  read_sampling(fields, out.talk);
  read_logprobs(fields, out.talk);
  read_max_tokens(fields, out.talk);
  out.stream = fields.boolean("stream").value_or(false);
  out.include_usage = read_stream_options(fields, out.stream);
  read_rest(fields);
  fields.finish();
  return out;
}

}  // namespace madang
