#include "chat/messages.h"

#include <array>

#include "base/error.h"
#include "base/nearest.h"

namespace madang {
namespace {

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 80) + "...";
  return text;
}

[[noreturn]] void wrong(Text what, std::string place, const Json& found) {
  throw Error(Kind::format, std::move(what)).at(std::move(place)).found(shown(found));
}

std::string joined_parts(const Json& parts, const std::string& place) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Json& part = parts[i];
    const std::string at = fmt::format("{}[{}]", place, i);
    if (!part.is_object() || !part.contains("type") || !part["type"].is_string())
      wrong(say("a part of a message has a type"), at, part);
    const std::string type = part["type"].get<std::string>();
    if (type == "image_url" || type == "input_audio" || type == "file" || type == "input_image" || type == "input_file")
      throw Error(Kind::unsupported, say("messages with {} are not built yet: only text is taken", type)).at(at);
    const char* key = type == "refusal" ? "refusal" : "text";
    if (type != "text" && type != "input_text" && type != "output_text" && type != "refusal")
      wrong(say("unknown type of a message's part"), at + ".type", part["type"]);
    if (!part.contains(key) || !part[key].is_string()) wrong(say("a text part has a text"), at + "." + key, part);
    text += part[key].get_ref<const std::string&>();
  }
  return text;
}

Json content_of(const Json& message, const std::string& place, bool optional) {
  const auto found = message.find("content");
  if (found == message.end() || found->is_null()) {
    if (optional) return nullptr;
    wrong(say("a message needs a content"), place + ".content", nullptr);
  }
  if (found->is_string()) return *found;
  if (found->is_array() && !found->empty()) return joined_parts(*found, place + ".content");
  wrong(say("a message's content is a text or an array of parts"), place + ".content", *found);
}

Json checked_call(const Json& call, const std::string& place) {
  if (!call.is_object() || !call.contains("function") || !call["function"].is_object())
    wrong(say("a tool call has a function"), place, call);
  const Json& function = call["function"];
  if (!function.contains("name") || !function["name"].is_string())
    wrong(say("a function has a name"), place + ".function.name", function);
  Json out = {{"id", call.value("id", Json(""))}, {"type", "function"}, {"function", {{"name", function["name"]}}}};
  Json arguments = Json::object();
  if (const auto given = function.find("arguments"); given != function.end() && !given->is_null()) {
    const std::string at = place + ".function.arguments";
    arguments = *given;
    if (given->is_string()) {
      const std::string& text = given->get_ref<const std::string&>();
      arguments = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
      if (arguments.is_discarded()) wrong(say("the arguments of a tool call are not JSON"), at, *given);
    }
    if (!arguments.is_object()) wrong(say("the arguments of a tool call are a JSON object"), at, *given);
  }
  out["function"]["arguments"] = std::move(arguments);
  return out;
}

Json checked_message(const Json& message, const std::string& place) {
  static constexpr std::array<std::string_view, 5> roles = {"system", "user", "assistant", "tool", "developer"};
  if (!message.is_object()) wrong(say("a message is an object"), place, message);
  if (!message.contains("role") || !message["role"].is_string())
    wrong(say("a message has a role"), place + ".role", message.value("role", Json(nullptr)));
  std::string role = message["role"].get<std::string>();
  if (std::ranges::find(roles, role) == roles.end())
    throw Error(Kind::format, say("there is no role {}", role))
        .at(place + ".role")
        .expected("system, developer, user, assistant, tool")
        .hint(say("did you mean {}?", nearest(role, roles)));
  if (role == "developer") role = "system";
  Json out = {{"role", role}};
  const auto calls = message.find("tool_calls");
  const bool has_calls = role == "assistant" && calls != message.end() && !calls->is_null();
  out["content"] = content_of(message, place, has_calls);
  if (role == "assistant")
    if (const auto thought = message.find("reasoning_content"); thought != message.end() && !thought->is_null()) {
      if (!thought->is_string()) wrong(say("reasoning_content is a text"), place + ".reasoning_content", *thought);
      out["reasoning_content"] = *thought;
    }
  if (has_calls) {
    if (!calls->is_array()) wrong(say("tool_calls is an array"), place + ".tool_calls", *calls);
    out["tool_calls"] = Json::array();
    for (size_t i = 0; i < calls->size(); ++i)
      out["tool_calls"].push_back(checked_call((*calls)[i], fmt::format("{}.tool_calls[{}]", place, i)));
    if (out["tool_calls"].empty()) out.erase("tool_calls");
  }
  if (role == "tool") {
    const auto id = message.find("tool_call_id");
    if (id == message.end() || !id->is_string())
      wrong(say("a tool's message has the tool_call_id that it answers"), place + ".tool_call_id",
            id == message.end() ? Json(nullptr) : *id);
    out["tool_call_id"] = *id;
  }
  if (const auto name = message.find("name"); name != message.end() && name->is_string()) out["name"] = *name;
  return out;
}

}  // namespace

Json checked_messages(const Json& messages, const std::string& where) {
  if (!messages.is_array()) wrong(say("a conversation is an array of messages"), where, messages);
  Json out = Json::array();
  for (size_t i = 0; i < messages.size(); ++i)
    out.push_back(checked_message(messages[i], fmt::format("{}[{}]", where, i)));
  // A tool's answer names the function it came from, where the call says so: some templates want it.
  for (Json& m : out) {
    if (m["role"] != "tool" || m.contains("name")) continue;
    for (const Json& before : out)
      if (before.contains("tool_calls"))
        for (const Json& call : before["tool_calls"])
          if (call["id"] == m["tool_call_id"]) m["name"] = call["function"]["name"];
  }
  return out;
}

Json checked_tools(const Json& tools) {
  if (tools.is_null()) return Json::array();
  if (!tools.is_array()) wrong(say("tools is an array"), "tools", tools);
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string place = fmt::format("tools[{}]", i);
    const Json& tool = tools[i];
    if (!tool.is_object() || tool.value("type", Json("function")) != "function")
      wrong(say("tools are of the type function"), place + ".type",
            tool.is_object() ? tool.value("type", Json(nullptr)) : tool);
    if (!tool.contains("function") || !tool["function"].is_object())
      wrong(say("a tool has a function"), place + ".function", tool);
    const Json name = tool["function"].value("name", Json(nullptr));
    if (!name.is_string() || name.get_ref<const std::string&>().empty())
      wrong(say("a function has a name"), place + ".function.name", name);
  }
  return tools;
}

}  // namespace madang
