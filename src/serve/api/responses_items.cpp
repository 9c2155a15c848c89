#include "serve/api/responses_items.h"

#include <set>

#include "serve/api/named_events.h"
#include "serve/fields.h"

namespace madang {
namespace {

std::string at(const std::string& path, size_t i) { return path + "[" + std::to_string(i) + "]"; }

/// The parts of a content: texts of the one type that its role has.
Json parts_of(const Json& content, const std::string& path, const std::string& type) {
  auto part = [&](const Json& text) {
    Json out = {{"type", type}, {"text", text}};
    if (type == "output_text") out["annotations"] = out["logprobs"] = Json::array();
    return out;
  };
  if (content.is_string()) return Json::array({part(content)});
  if (!content.is_array()) throw Problem(say("'{}' must be a text or an array of parts", path), path, "invalid_type");
  Json out = Json::array();
  for (size_t i = 0; i < content.size(); ++i) {
    Fields f(content[i], at(path, i));
    const std::string found = f.need("type", f.text("type"));
    if (found == "input_image" || found == "input_file" || found == "input_audio" || found == "refusal")
      throw not_built(f.path("type"), say("parts of type '{}' are not built yet: only text", found));
    f.choice("type", {type});
    out.push_back(part(f.need("text", f.text("text"))));
    f.accept({"annotations", "logprobs", "prompt_cache_breakpoint"});
    f.finish();
  }
  return out;
}

Json message_item(Fields& f, const std::string& id) {
  const auto role = f.need("role", f.choice("role", {"user", "assistant", "system", "developer"}));
  const Json& content = f.need("content", f.any("content"));
  f.accept({"phase"});
  return {{"id", id.empty() ? new_id("msg_") : id},
          {"type", "message"},
          {"status", "completed"},
          {"role", role},
          {"content", parts_of(content, f.path("content"), role == "assistant" ? "output_text" : "input_text")}};
}

bool is_object_text(const std::string& arguments) { return Json::parse(arguments, nullptr, false).is_object(); }

Json call_item(Fields& f, const std::string& id) {
  const auto arguments = f.need("arguments", f.text("arguments"));
  if (!is_object_text(arguments))
    throw Problem(say("'{}' must be the text of a JSON object", f.path("arguments")), f.path("arguments"),
                  "invalid_value");
  f.accept({"namespace", "caller"});
  return {{"id", id.empty() ? new_id("fc_") : id},
          {"type", "function_call"},
          {"status", "completed"},
          {"call_id", f.need("call_id", f.text("call_id"))},
          {"name", f.need("name", f.text("name"))},
          {"arguments", arguments}};
}

Json output_item(Fields& f, const std::string& id) {
  const Json& output = f.need("output", f.any("output"));
  f.accept({"name", "namespace", "caller"});
  return {{"id", id.empty() ? new_id("fco_") : id},
          {"type", "function_call_output"},
          {"status", "completed"},
          {"call_id", f.need("call_id", f.text("call_id"))},
          {"output", output.is_string() ? output : parts_of(output, f.path("output"), "input_text")}};
}

Json texts_of(Fields& f, const char* name, const std::string& type) {
  Json out = Json::array();
  if (const Json* list = f.array(name))
    for (size_t i = 0; i < list->size(); ++i) {
      Fields part((*list)[i], at(f.path(name), i));
      part.choice("type", {type});
      out.push_back({{"type", type}, {"text", part.need("text", part.text("text"))}});
      part.finish();
    }
  return out;
}

Json reasoning_item(Fields& f, const std::string& id) {
  Json item = {{"id", id.empty() ? new_id("rs_") : id}, {"type", "reasoning"}, {"status", "completed"}};
  item["summary"] = texts_of(f, "summary", "summary_text");
  item["content"] = texts_of(f, "content", "reasoning_text");
  f.refuse("encrypted_content", say("encrypted reasoning is not built: its text is given as it is"));
  return item;
}

Json whole_item(const Json& item, const std::string& path) {
  Fields f(item, path);
  const std::string type = f.text("type").value_or("message");
  const std::string id = f.text("id").value_or("");
  f.choice("status", {"in_progress", "completed", "incomplete"});
  Json out;
  if (type == "message")
    out = message_item(f, id);
  else if (type == "function_call")
    out = call_item(f, id);
  else if (type == "function_call_output")
    out = output_item(f, id);
  else if (type == "reasoning")
    out = reasoning_item(f, id);
  else
    throw not_built(f.path("type"), say("items of type '{}' are not built", type));
  f.finish();
  return out;
}

/// Parts of items as parts of a chat message; one alone is just its text.
Json chat_content(const Json& parts) {
  if (parts.is_string()) return parts;
  if (parts.size() == 1) return parts[0]["text"];
  Json out = Json::array();
  for (const Json& part : parts) out.push_back({{"type", "text"}, {"text", part["text"]}});
  return out;
}

std::string joined(const Json& parts) {
  std::string out;
  for (const Json& part : parts) out += part["text"].get_ref<const std::string&>();
  return out;
}

/// Collects what one assistant message holds.
struct Assistant {
  std::string text, reasoning;
  Json calls = Json::array();
  bool begun = false;

  void end(Json& messages) {
    if (begun) {
      Json message = {{"role", "assistant"}, {"content", text}};
      if (!reasoning.empty()) message["reasoning_content"] = reasoning;
      if (!calls.empty()) message["tool_calls"] = calls;
      messages.push_back(std::move(message));
    }
    *this = {};
  }

  void add(const Json& item, Json& messages) {
    const std::string type = item["type"];
    // Reasoning begins a message, and text stands before calls.
    if (type == "reasoning" ? begun : type == "message" && (!text.empty() || !calls.empty())) end(messages);
    begun = true;
    if (type == "reasoning") {
      reasoning = joined(item["content"].empty() ? item["summary"] : item["content"]);
    } else if (type == "message") {
      text = joined(item["content"]);
    } else {
      std::string arguments = item["arguments"];
      if (!is_object_text(arguments)) arguments = json_text({{"malformed_arguments", arguments}});
      calls.push_back({{"id", item["call_id"]},
                       {"type", "function"},
                       {"function", {{"name", item["name"]}, {"arguments", arguments}}}});
    }
  }
};

}  // namespace

Json whole_items(const Json& input) {
  if (input.is_string()) return Json::array({whole_item({{"role", "user"}, {"content", input}}, "input")});
  if (!input.is_array())
    throw Problem(say("'{}' must be a text or an array of items", "input"), "input", "invalid_type");
  Json out = Json::array();
  for (size_t i = 0; i < input.size(); ++i) out.push_back(whole_item(input[i], at("input", i)));
  return out;
}

Json messages_of(const Json& items) {
  Json messages = Json::array();
  Assistant assistant;
  std::set<std::string> calls;
  for (const Json& item : items) {
    const std::string type = item["type"];
    if (type == "function_call") calls.insert(item["call_id"].get<std::string>());
    if (type == "function_call_output") {
      const std::string id = item["call_id"];
      if (!calls.contains(id))
        throw Problem(say("No tool call found for function call output with call_id {}.", id), "input");
      assistant.end(messages);
      messages.push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", chat_content(item["output"])}});
    } else if (type == "message" && item["role"] != "assistant") {
      assistant.end(messages);
      messages.push_back({{"role", item["role"]}, {"content", chat_content(item["content"])}});
    } else {
      assistant.add(item, messages);
    }
  }
  assistant.end(messages);
  return messages;
}

}  // namespace madang
