#include "serve/api/messages_request.h"

#include "serve/api/strict.h"
#include "serve/fields.h"

namespace madang {
namespace {

std::string at(const std::string& path, size_t i) { return path + "[" + std::to_string(i) + "]"; }

std::string type_of(Fields& block) { return block.need("type", block.text("type")); }

[[noreturn]] void no_such_block(Fields& block, const std::string& type) {
  throw not_built(block.path("type"),
                  say("content of type '{}' is not built yet: only text, thinking and tools", type));
}

Json text_part(Fields& block) {
  block.accept({"cache_control", "citations"});
  Json part = {{"type", "text"}, {"text", block.need("text", block.text("text"))}};
  block.finish();
  return part;
}

/// A text, or an array of text blocks: as the parts of a chat message.
Json text_content(const Json& content, const std::string& path) {
  if (content.is_string()) return content;
  if (!content.is_array())
    throw Problem(say("'{}' must be a text or an array of content blocks", path), path, "invalid_type");
  Json parts = Json::array();
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], at(path, i));
    const std::string type = type_of(block);
    if (type != "text") no_such_block(block, type);
    parts.push_back(text_part(block));
  }
  return parts;
}

Json tool_message(Fields& block) {
  const std::string id = block.need("tool_use_id", block.text("tool_use_id"));
  const Json* content = block.any("content");
  const bool failed = block.boolean("is_error").value_or(false);
  block.accept({"cache_control"});
  block.finish();
  Json parts = content ? text_content(*content, block.path("content")) : Json("");
  if (parts.is_string()) parts = Json::array({{{"type", "text"}, {"text", parts}}});
  // Chat templates have no word for a call that failed.
  if (failed) parts.insert(parts.begin(), Json{{"type", "text"}, {"text", "Error: "}});
  return {{"role", "tool"}, {"tool_call_id", id}, {"content", std::move(parts)}};
}

/// A user's blocks, in their order: results of tools are messages of their own.
void add_user(const Json& content, const std::string& path, Json& messages) {
  if (content.is_string()) return messages.push_back({{"role", "user"}, {"content", content}});
  Json parts = Json::array();
  auto say_parts = [&] {
    if (!parts.empty()) messages.push_back({{"role", "user"}, {"content", std::exchange(parts, Json::array())}});
  };
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], at(path, i));
    const std::string type = type_of(block);
    if (type == "tool_result") {
      say_parts();
      messages.push_back(tool_message(block));
    } else if (type == "text") {
      parts.push_back(text_part(block));
    } else {
      no_such_block(block, type);
    }
  }
  say_parts();
}

Json call_of(Fields& block) {
  Json function = {{"name", block.need("name", block.text("name"))},
                   {"arguments", block.need("input", block.object("input")).dump()}};
  Json call = {{"id", block.need("id", block.text("id"))}, {"type", "function"}, {"function", std::move(function)}};
  block.accept({"cache_control", "caller"});
  block.finish();
  return call;
}

void add_assistant(const Json& content, const std::string& path, Json& messages) {
  if (content.is_string()) return messages.push_back({{"role", "assistant"}, {"content", content}});
  std::string text, reasoning;
  Json calls = Json::array();
  for (size_t i = 0; i < content.size(); ++i) {
    Fields block(content[i], at(path, i));
    const std::string type = type_of(block);
    if (type == "text") {
      text += text_part(block)["text"].get_ref<const std::string&>();
    } else if (type == "tool_use") {
      calls.push_back(call_of(block));
    } else if (type == "thinking") {
      reasoning += block.need("thinking", block.text("thinking"));
      block.accept({"signature", "cache_control"});
      block.finish();
    } else {
      no_such_block(block, type);
    }
  }
  Json message = {{"role", "assistant"}, {"content", text}};
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  messages.push_back(std::move(message));
}

void read_messages(Fields& f, Json& messages) {
  if (const Json* system = f.any("system")) {
    Json content = text_content(*system, "system");
    if (!content.empty() && content != "") messages.push_back({{"role", "system"}, {"content", std::move(content)}});
  }
  const Json& list = f.need("messages", f.array("messages"));
  if (list.empty()) throw Problem(say("'{}' must hold at least one message", "messages"), "messages");
  for (size_t i = 0; i < list.size(); ++i) {
    Fields message(list[i], at("messages", i));
    const auto role = message.need("role", message.choice("role", {"user", "assistant"}));
    const Json& content = message.need("content", message.any("content"));
    if (!content.is_string() && !content.is_array()) message.wrong("content", "a string or an array", content);
    message.finish();
    role == "user" ? add_user(content, message.path("content"), messages)
                   : add_assistant(content, message.path("content"), messages);
  }
  if (list.back()["role"] == "assistant")
    throw not_built(at("messages", list.size() - 1) + ".role",
                    say("the last message must be the user's: going on with a begun answer is not built yet"));
}

void read_tools(Fields& f, TalkRequest& talk) {
  if (const Json* tools = f.array("tools"))
    for (size_t i = 0; i < tools->size(); ++i) {
      Fields tool((*tools)[i], at("tools", i));
      const std::string type = tool.text("type").value_or("custom");
      if (type != "custom")
        throw not_built(tool.path("type"), say("tools of type '{}' are not built: only your own", type));
      Json function = {{"name", tool.need("name", tool.text("name"))}};
      if (auto about = tool.text("description")) function["description"] = *about;
      function["parameters"] = tool.need("input_schema", tool.object("input_schema"));
      tool.accept({"cache_control", "input_examples", "eager_input_streaming", "allowed_callers"});
      refuse_strict(tool);
      tool.finish();
      talk.tools.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
  const Json* chosen = f.object("tool_choice");
  if (!chosen) return;
  Fields choice(*chosen, "tool_choice");
  const auto type = choice.need("type", choice.choice("type", {"auto", "any", "tool", "none"}));
  talk.parallel_tool_calls = !choice.boolean("disable_parallel_tool_use").value_or(false);
  if (type == "tool")
    talk.tool_choice = {{"type", "function"}, {"function", {{"name", choice.need("name", choice.text("name"))}}}};
  else
    talk.tool_choice = type == "any" ? "required" : type;
  choice.finish();
}

/// Templates that can think or not know the variable; to the others it means nothing. A budget is a wish: no model
/// knows how much it has thought.
void read_thinking(Fields& f, TalkRequest& talk) {
  if (const Json* wish = f.object("thinking")) {
    Fields thinking(*wish, "thinking");
    const auto type = thinking.need("type", thinking.choice("type", {"enabled", "disabled", "adaptive"}));
    thinking.integer("budget_tokens", 1024, INT32_MAX);
    thinking.accept({"display"});
    thinking.finish();
    talk.template_variables["enable_thinking"] = type != "disabled";
  }
  if (const Json* wish = f.object("output_config")) {
    Fields config(*wish, "output_config");
    if (auto effort = config.choice("effort", {"low", "medium", "high", "xhigh", "max"}))
      talk.template_variables["reasoning_effort"] = *effort == "low" || *effort == "medium" ? *effort : "high";
    config.refuse("format", say("answers by a JSON schema are not built yet"));
    config.finish();
  }
}

void read_sampling(Fields& f, TalkRequest& talk) {
  talk.max_tokens = f.need("max_tokens", f.integer("max_tokens", 1, INT32_MAX));
  talk.temperature = f.number("temperature", 0, 1);
  talk.top_p = f.number("top_p", 0, 1);
  talk.top_k = f.integer("top_k", 0, INT32_MAX);
  if (const Json* stops = f.array("stop_sequences"))
    for (size_t i = 0; i < stops->size(); ++i) {
      const Json& stop = (*stops)[i];
      if (!stop.is_string() || stop.get_ref<const std::string&>().empty())
        throw Problem(say("'{}' must be a text that is not empty", at("stop_sequences", i)), at("stop_sequences", i));
      talk.stops.push_back(stop);
    }
}

}  // namespace

MessagesRequest read_messages_request(const Json& body, bool counting) {
  MessagesRequest out;
  Fields f(body, "");
  out.talk.model = f.name("model");
  read_messages(f, out.talk.messages);
  read_tools(f, out.talk);
  read_thinking(f, out.talk);
  if (!counting) {
    read_sampling(f, out.talk);
    out.stream = f.boolean("stream").value_or(false);
    if (const Json* about = f.object("metadata")) {
      Fields metadata(*about, "metadata");
      metadata.accept({"user_id"});
      metadata.finish();
    }
  }
  for (const char* name : {"container", "mcp_servers", "context_management"})
    f.refuse(name, say("'{}' is not built", name));
  f.accept({"service_tier", "cache_control", "inference_geo"});
  f.finish();
  return out;
}

}  // namespace madang
