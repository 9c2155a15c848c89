#include "serve/api/responses_request.h"

#include "serve/api/responses_items.h"
#include "serve/api/strict.h"
#include "serve/fields.h"

namespace madang {
namespace {

Json or_null(const auto& value) { return value ? Json(*value) : Json(nullptr); }

void read_tools(Fields& f, ResponsesRequest& out) {
  Json& echo = out.response["tools"] = Json::array();
  if (const Json* tools = f.array("tools"))
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], "tools[" + std::to_string(i) + "]");
      const auto type = tool.need("type", tool.text("type"));
      if (type != "function")
        throw not_built(tool.path("type"), say("tools of type '{}' are not built: only your own", type));
      refuse_strict(tool);
      const std::string name = tool.need("name", tool.text("name"));
      const auto about = tool.text("description");
      const Json* parameters = tool.object("parameters");
      tool.finish();
      Json function = {{"name", name}};
      if (about) function["description"] = *about;
      if (parameters) function["parameters"] = *parameters;
      out.talk.tools.push_back({{"type", "function"}, {"function", function}});
      Json told = {{"type", "function"}, {"name", name}};
      if (about) told["description"] = *about;
      told["parameters"] = parameters ? *parameters : Json(nullptr);
      told["strict"] = false;
      echo.push_back(std::move(told));
    }
  const Json* choice = f.any("tool_choice");
  out.response["tool_choice"] = choice ? *choice : Json("auto");
  if (choice && choice->is_object()) {
    Fields named(*choice, "tool_choice");
    const auto type = named.need("type", named.text("type"));
    if (type != "function")
      throw not_built("tool_choice.type", say("tools of type '{}' are not built: only your own", type));
    out.talk.tool_choice = {{"type", "function"}, {"function", {{"name", named.need("name", named.text("name"))}}}};
    named.finish();
  } else if (choice) {
    out.talk.tool_choice = *f.choice("tool_choice", {"none", "auto", "required"});
  }
  out.talk.parallel_tool_calls = f.boolean("parallel_tool_calls").value_or(true);
  out.response["parallel_tool_calls"] = out.talk.parallel_tool_calls;
}

void read_sampling(Fields& f, ResponsesRequest& out) {
  TalkRequest& talk = out.talk;
  talk.temperature = f.number("temperature", 0, 2);
  talk.top_p = f.number("top_p", 0, 1);
  talk.max_tokens = f.integer("max_output_tokens", 1, INT32_MAX);
  const auto top = f.integer("top_logprobs", 0, 20);
  if (const Json* include = f.array("include"))
    for (size_t i = 0; i < include->size(); ++i) {
      const std::string path = "include[" + std::to_string(i) + "]";
      if (!(*include)[i].is_string())
        throw Problem(say("'{}' must be a text that is not empty", path), path, "invalid_type");
      const std::string wish = (*include)[i];
      if (wish != "message.output_text.logprobs" && wish != "reasoning.encrypted_content")
        throw not_built(path, say("'{}' is not built", wish));
      // Without encryption nothing is missing: the reasoning's text is given as it is.
      if (wish == "message.output_text.logprobs") out.logprobs = true;
    }
  out.logprobs = out.logprobs || top.value_or(0) > 0;
  if (out.logprobs) talk.top_logprobs = static_cast<int>(top.value_or(0));
  out.response["temperature"] = or_null(talk.temperature);
  out.response["top_p"] = or_null(talk.top_p);
  out.response["max_output_tokens"] = or_null(talk.max_tokens);
  out.response["top_logprobs"] = top.value_or(0);
}

void read_reasoning(Fields& f, ResponsesRequest& out) {
  Json& echo = out.response["reasoning"] = {{"effort", nullptr}, {"summary", nullptr}};
  const Json* wish = f.object("reasoning");
  if (!wish) return;
  Fields reasoning(*wish, "reasoning");
  const auto effort = reasoning.choice("effort", {"none", "minimal", "low", "medium", "high", "xhigh"});
  // No summary is made: the reasoning itself is given, which says more.
  const auto summary = reasoning.choice("summary", {"auto", "concise", "detailed"});
  reasoning.choice("generate_summary", {"auto", "concise", "detailed"});
  reasoning.finish();
  echo = {{"effort", or_null(effort)}, {"summary", or_null(summary)}};
  if (!effort) return;
  out.talk.template_variables["enable_thinking"] = *effort != "none";
  out.talk.template_variables["reasoning_effort"] = *effort;
}

void read_text(Fields& f, ResponsesRequest& out) {
  out.response["text"] = {{"format", {{"type", "text"}}}, {"verbosity", "medium"}};
  const Json* about = f.object("text");
  if (!about) return;
  Fields text(*about, "text");
  if (const Json* wish = text.object("format")) {
    Fields format(*wish, "text.format");
    const auto type = format.need("type", format.choice("type", {"text", "json_object", "json_schema"}));
    if (type != "text") throw not_built("text.format.type", say("answers of the format '{}' are not built yet", type));
    format.finish();
  }
  if (text.choice("verbosity", {"low", "medium", "high"}).value_or("medium") != "medium")
    throw not_built("text.verbosity", say("'{}' is not built", "text.verbosity"));
  text.finish();
}

void read_metadata(Fields& f, Json& response) {
  const Json* given = f.object("metadata");
  response["metadata"] = given ? *given : Json::object();
  if (!given) return;
  if (given->size() > 16) throw Problem(say("'{}' may hold at most {} entries", "metadata", 16), "metadata");
  for (const auto& [name, value] : given->items())
    if (name.size() > 64 * 4 || !value.is_string() || value.get_ref<const std::string&>().size() > 512 * 4)
      throw Problem(say("'{}' takes names of at most 64 and texts of at most 512 characters", "metadata"), "metadata",
                    "invalid_value");
}

void refuse_what_is_not_built(Fields& f, Json& response) {
  for (const char* name : {"conversation", "prompt", "context_management", "moderation"})
    f.refuse(name, say("'{}' is not built", name));
  if (f.boolean("background").value_or(false)) throw not_built("background", say("'{}' is not built", "background"));
  if (f.choice("truncation", {"auto", "disabled"}).value_or("disabled") != "disabled")
    throw not_built("truncation",
                    say("truncation is not built: a thread that does not fit is refused with both numbers"));
  response["truncation"] = "disabled";
  response["background"] = false;
  response["service_tier"] = "default";
  response["max_tool_calls"] = or_null(f.integer("max_tool_calls", 1, INT32_MAX));  // of tools that OpenAI runs
  if (auto user = f.text("user")) response["user"] = *user;
  f.accept({"service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"});
}

}  // namespace

ResponsesRequest read_responses_request(const Json& body) {
  ResponsesRequest out;
  Fields f(body, "");
  out.talk.model = f.name("model");
  out.talk.messages_path = "input";
  out.response = {{"id", ""}, {"object", "response"}, {"created_at", 0}, {"status", "in_progress"}};
  out.response["error"] = out.response["incomplete_details"] = nullptr;
  out.response["model"] = out.talk.model;
  out.response["output"] = Json::array();
  const auto instructions = f.text("instructions");
  out.response["instructions"] = or_null(instructions);
  out.input = whole_items(f.need("input", f.any("input")));
  const auto previous = f.text("previous_response_id");
  out.previous = previous.value_or("");
  if (out.input.empty() && !instructions && !previous)
    throw Problem(say("'{}' is empty", "input"), "input", "empty_array");
  out.response["previous_response_id"] = or_null(previous);
  read_tools(f, out);
  read_sampling(f, out);
  read_reasoning(f, out);
  read_text(f, out);
  read_metadata(f, out.response);
  refuse_what_is_not_built(f, out.response);
  out.store = f.boolean("store");
  out.stream = f.boolean("stream").value_or(false);
  if (const Json* options = f.object("stream_options")) {
    Fields stream(*options, "stream_options");
    stream.boolean("include_obfuscation");  // padding against onlookers, who see nothing within TLS on one's own net
    stream.finish();
  }
  f.finish();
  return out;
}

}  // namespace madang
