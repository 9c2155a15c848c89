#include "serve/api/responses_answer.h"

#include "serve/api/named_events.h"
#include "serve/problem.h"

namespace madang {
namespace {

Json usage_of(const Usage& usage, int64_t reasoning) {
  return {{"input_tokens", usage.prompt},
          {"input_tokens_details", {{"cached_tokens", usage.reused}, {"cache_write_tokens", 0}}},
          {"output_tokens", usage.answer},
          {"output_tokens_details", {{"reasoning_tokens", reasoning}}},
          {"total_tokens", usage.prompt + usage.answer}};
}

Json text_part() {
  return {{"type", "output_text"}, {"annotations", Json::array()}, {"logprobs", Json::array()}, {"text", ""}};
}

}  // namespace

ResponsesAnswer::ResponsesAnswer(Json response, Spell spell)
    : response_(std::move(response)), spell_(std::move(spell)) {}

Json ResponsesAnswer::event(const char* type, Json rest) {
  Json out = {{"type", type}, {"sequence_number", sequence_++}};
  out.update(rest);
  return out;
}

/// Of the open item, and of its only part.
Json ResponsesAnswer::part_event(const char* type, Json rest) {
  Json out = event(type, {{"item_id", item()["id"]}, {"output_index", response_["output"].size() - 1}});
  if (open_ != "function_call") out["content_index"] = 0;
  out.update(rest);
  return out;
}

std::vector<Json> ResponsesAnswer::begin() {
  std::vector<Json> out;
  out.push_back(event("response.created", {{"response", response_}}));
  out.push_back(event("response.in_progress", {{"response", response_}}));
  return out;
}

std::vector<Json> ResponsesAnswer::push(const TalkEvent& e) {
  std::vector<Json> out;
  if (!e.delta.reasoning.empty()) {
    if (open_ != "reasoning")
      open({{"id", new_id("rs_")}, {"type", "reasoning"}, {"summary", Json::array()}, {"content", Json::array()}}, out);
    item()["content"][0]["text"].get_ref<std::string&>() += e.delta.reasoning;
    out.push_back(part_event("response.reasoning_text.delta", {{"delta", e.delta.reasoning}}));
    reasoning_tokens_ = e.usage.answer;
  }
  if (!e.delta.text.empty()) add_text(e, out);
  for (const ToolCallDelta& call : e.delta.calls) add_call(call, out);
  response_["usage"] = usage_of(e.usage, reasoning_tokens_);
  if (!e.finish) return out;
  if (*e.finish == Finish::failed) {
    const auto more = fail(Problem(*e.fault).message());
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  if (*e.finish == Finish::cancelled) return cancel();
  const bool cut = *e.finish == Finish::length || *e.finish == Finish::context;
  close(cut ? "incomplete" : "completed", out);
  response_["status"] = cut ? "incomplete" : "completed";
  if (cut)
    response_["incomplete_details"] = {{"reason", "max_output_tokens"}};
  else
    response_["completed_at"] = now_microseconds() / 1'000'000;
  return out;
}

std::vector<Json> ResponsesAnswer::cancel() {
  std::vector<Json> out;
  close("incomplete", out);
  if (response_["status"] == "in_progress") response_["status"] = "cancelled";
  return out;
}

std::vector<Json> ResponsesAnswer::fail(const std::string& message) {
  std::vector<Json> out;
  close("incomplete", out);
  response_["status"] = "failed";
  response_["error"] = {{"code", "server_error"}, {"message", message}};
  return out;
}

Json ResponsesAnswer::end() {
  const std::string type = "response." + response_["status"].get<std::string>();
  return event(type.c_str(), {{"response", response_}});
}

void ResponsesAnswer::add_text(const TalkEvent& e, std::vector<Json>& out) {
  if (open_ != "message")
    open({{"id", new_id("msg_")}, {"type", "message"}, {"role", "assistant"}, {"content", Json::array()}}, out);
  Json& part = item()["content"][0];
  const Json logprobs = logprobs_of(e.logprobs);
  part["text"].get_ref<std::string&>() += e.delta.text;
  for (const Json& one : logprobs) part["logprobs"].push_back(one);
  out.push_back(part_event("response.output_text.delta", {{"delta", e.delta.text}, {"logprobs", logprobs}}));
}

void ResponsesAnswer::add_call(const ToolCallDelta& call, std::vector<Json>& out) {
  if (open_ != "function_call" || call.index != call_) {
    open({{"id", new_id("fc_")},
          {"type", "function_call"},
          {"call_id", call.id},
          {"name", call.name},
          {"arguments", ""}},
         out);
    call_ = call.index;
  }
  if (call.arguments.empty()) return;
  item()["arguments"].get_ref<std::string&>() += call.arguments;
  out.push_back(part_event("response.function_call_arguments.delta", {{"delta", call.arguments}}));
}

void ResponsesAnswer::open(Json fresh, std::vector<Json>& out) {
  close("completed", out);
  fresh["status"] = "in_progress";
  open_ = fresh["type"];
  response_["output"].push_back(std::move(fresh));
  out.push_back(
      event("response.output_item.added", {{"output_index", response_["output"].size() - 1}, {"item", item()}}));
  if (open_ == "function_call") return;
  const Json part = open_ == "message" ? text_part() : Json{{"type", "reasoning_text"}, {"text", ""}};
  item()["content"].push_back(part);
  out.push_back(part_event("response.content_part.added", {{"part", part}}));
}

void ResponsesAnswer::close(const char* status, std::vector<Json>& out) {
  if (open_.empty()) return;
  item()["status"] = status;
  if (open_ == "function_call") {
    out.push_back(part_event("response.function_call_arguments.done",
                             {{"name", item()["name"]}, {"arguments", item()["arguments"]}}));
  } else {
    const Json& part = item()["content"][0];
    Json done = {{"text", part["text"]}};
    if (open_ == "message") done["logprobs"] = part["logprobs"];
    out.push_back(
        part_event(open_ == "message" ? "response.output_text.done" : "response.reasoning_text.done", std::move(done)));
    out.push_back(part_event("response.content_part.done", {{"part", part}}));
  }
  out.push_back(
      event("response.output_item.done", {{"output_index", response_["output"].size() - 1}, {"item", item()}}));
  open_.clear();
  call_ = -1;
}

Json ResponsesAnswer::logprobs_of(const std::vector<Sampled>& sampled) const {
  Json out = Json::array();
  if (!spell_) return out;
  auto one = [&](int32_t id, float logprob) {
    const std::string text = spell_(id);
    Json bytes = Json::array();
    for (unsigned char b : text) bytes.push_back(b);
    return Json{{"token", text}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
  };
  for (const Sampled& s : sampled) {
    Json told = one(s.id, s.logprob);
    Json& top = told["top_logprobs"] = Json::array();
    for (const TokenLogprob& t : s.top) top.push_back(one(t.id, t.logprob));
    out.push_back(std::move(told));
  }
  return out;
}

}  // namespace madang
