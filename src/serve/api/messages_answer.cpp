#include "serve/api/messages_answer.h"

namespace madang {
namespace {

Json usage_of(int64_t prompt, int64_t reused, int64_t answer) {
  return {{"input_tokens", prompt - reused},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", reused},
          {"output_tokens", answer}};
}

const char* reason_of(const TalkEvent& event) {
  switch (*event.finish) {
    case Finish::stop:
      return "stop_sequence";
    case Finish::length:
      return "max_tokens";
    case Finish::context:
      return "model_context_window_exceeded";
    default:
      return event.called_tools ? "tool_use" : "end_turn";
  }
}

/// A tool's input is an object, whatever the model wrote.
Json input_of(const std::string& arguments) {
  if (arguments.empty()) return Json::object();
  Json input = Json::parse(arguments, nullptr, false);
  if (input.is_object()) return input;
  return {{"malformed_arguments", arguments}};
}

}  // namespace

MessagesAnswer::MessagesAnswer(std::string id, std::string model, int64_t prompt_tokens)
    : message_{{"id", std::move(id)},      {"type", "message"},
               {"role", "assistant"},      {"model", std::move(model)},
               {"content", Json::array()}, {"stop_reason", nullptr},
               {"stop_sequence", nullptr}, {"usage", usage_of(prompt_tokens, 0, 0)}} {}

std::vector<Json> MessagesAnswer::begin() {
  std::vector<Json> out;
  out.push_back({{"type", "message_start"}, {"message", message_}});
  out.push_back({{"type", "ping"}});
  return out;
}

std::vector<Json> MessagesAnswer::push(const TalkEvent& event) {
  std::vector<Json> out;
  if (!event.delta.reasoning.empty()) {
    if (open_ != "thinking") open({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, out);
    add("thinking_delta", "thinking", event.delta.reasoning, out);
  }
  if (!event.delta.text.empty()) {
    if (open_ != "text") open({{"type", "text"}, {"text", ""}}, out);
    add("text_delta", "text", event.delta.text, out);
  }
  for (const ToolCallDelta& call : event.delta.calls) {
    if (open_ != "tool_use" || call.index != call_) {
      open({{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", Json::object()}}, out);
      call_ = call.index;
    }
    if (!call.arguments.empty()) add("input_json_delta", "partial_json", call.arguments, out);
  }
  message_["usage"] = usage_of(event.usage.prompt, event.usage.reused, event.usage.answer);
  if (event.finish) finish(event, out);
  return out;
}

void MessagesAnswer::open(Json block, std::vector<Json>& out) {
  close(out);
  open_ = block["type"];
  out.push_back({{"type", "content_block_start"}, {"index", message_["content"].size()}, {"content_block", block}});
  message_["content"].push_back(std::move(block));
}

void MessagesAnswer::close(std::vector<Json>& out) {
  if (open_.empty()) return;
  Json& content = message_["content"];
  if (open_ == "tool_use") content.back()["input"] = input_of(std::exchange(arguments_, ""));
  out.push_back({{"type", "content_block_stop"}, {"index", content.size() - 1}});
  open_.clear();
  call_ = -1;
}

void MessagesAnswer::add(const char* type, const char* field, const std::string& piece, std::vector<Json>& out) {
  Json& content = message_["content"];
  if (open_ == "tool_use")
    arguments_ += piece;
  else
    content.back()[field].get_ref<std::string&>() += piece;
  out.push_back(
      {{"type", "content_block_delta"}, {"index", content.size() - 1}, {"delta", {{"type", type}, {field, piece}}}});
}

void MessagesAnswer::finish(const TalkEvent& event, std::vector<Json>& out) {
  close(out);
  message_["stop_reason"] = reason_of(event);
  if (event.stop) message_["stop_sequence"] = *event.stop;
  Json delta = {{"stop_reason", message_["stop_reason"]}, {"stop_sequence", message_["stop_sequence"]}};
  out.push_back({{"type", "message_delta"}, {"delta", std::move(delta)}, {"usage", message_["usage"]}});
  out.push_back({{"type", "message_stop"}});
}

}  // namespace madang
