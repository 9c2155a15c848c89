#include "serve/api/chat_answer.h"

#include <algorithm>

#include "serve/api/named_events.h"
#include "serve/api/sampling.h"
#include "serve/problem.h"

namespace madang {
namespace {

const char* reason_of(const TalkEvent& event) {
  check_whole(*event.finish, event.fault);
  switch (*event.finish) {
    case Finish::length:
    case Finish::context:
      return "length";
    default:
      return event.called_tools ? "tool_calls" : "stop";
  }
}

double rate(int64_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }

}  // namespace

ChatAnswer::ChatAnswer(const Talk& talk, const std::string& model, const TalkRequest& request, bool chunk_usage)
    : talk_(talk),
      id_(new_id("chatcmpl-")),
      model_(model),
      created_(now_microseconds() / 1'000'000),
      with_logprobs_(request.top_logprobs.has_value()),
      chunk_usage_(chunk_usage),
      choices_(static_cast<size_t>(request.n)) {}

void ChatAnswer::push(const TalkEvent& event) {
  Choice& c = choices_.at(static_cast<size_t>(event.choice));
  c.usage = event.usage;
  c.reasoning_tokens = event.reasoning_tokens;
  c.reasoning += event.delta.reasoning;
  c.text += event.delta.text;
  for (const ToolCallDelta& call : event.delta.calls) {
    const auto same = std::ranges::find(c.calls, call.index, &ToolCallDelta::index);
    if (same == c.calls.end())
      c.calls.push_back(call);
    else
      same->arguments += call.arguments;
  }
  for (Json& entry : logprobs(event.logprobs)) c.logprobs.push_back(std::move(entry));
  if (event.finish) c.finish = reason_of(event);
}

Json ChatAnswer::head(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", model_},
          {"system_fingerprint", system_fingerprint()}};
}

Json ChatAnswer::token(int32_t id, float logprob) const {
  const std::string bytes = talk_.model().checkpoint->tokenizer()->token_bytes(id);
  Json numbers = Json::array();
  for (char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return {{"token", bytes}, {"logprob", finite_logprob(logprob)}, {"bytes", std::move(numbers)}};
}

Json ChatAnswer::logprobs(const std::vector<Sampled>& sampled) const {
  Json out = Json::array();
  for (const Sampled& s : sampled) {
    Json entry = token(s.id, s.logprob);
    Json& top = entry["top_logprobs"] = Json::array();
    for (const TokenLogprob& t : s.top) top.push_back(token(t.id, t.logprob));
    out.push_back(std::move(entry));
  }
  return out;
}

Json ChatAnswer::usage() const {
  int64_t answer = 0, reused = 0, reasoning = 0;
  for (const Choice& c : choices_) {
    answer += c.usage.answer;
    reasoning += c.reasoning_tokens;
    reused = std::max(reused, c.usage.reused);
  }
  return usage_json(talk_.prompt_tokens(), reused, answer, reasoning);
}

// llama.cpp's server's own addition, which pages and benchmarks read.
Json ChatAnswer::timings() const {
  const TalkTimes times = talk_.times();
  int64_t answer = 0, reused = 0;
  for (const Choice& c : choices_) answer += c.usage.answer, reused = std::max(reused, c.usage.reused);
  const int64_t computed = talk_.prompt_tokens() - reused;
  return {{"cache_n", reused},
          {"prompt_n", computed},
          {"prompt_ms", times.prompt_seconds * 1e3},
          {"prompt_per_second", rate(computed, times.prompt_seconds)},
          {"predicted_n", answer},
          {"predicted_ms", times.answer_seconds * 1e3},
          {"predicted_per_second",
           rate(std::max<int64_t>(answer - static_cast<int64_t>(choices_.size()), 0), times.answer_seconds)}};
}

Json ChatAnswer::whole() const {
  Json all = Json::array();
  for (size_t i = 0; i < choices_.size(); ++i) {
    const Choice& c = choices_[i];
    Json message = {{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
    if (!c.text.empty() || c.calls.empty()) message["content"] = c.text;
    if (!c.reasoning.empty()) message["reasoning_content"] = c.reasoning;
    for (const ToolCallDelta& call : c.calls)
      message["tool_calls"].push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    Json choice = {{"index", i}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", c.finish}};
    if (with_logprobs_) choice["logprobs"] = {{"content", c.logprobs}, {"refusal", nullptr}};
    all.push_back(std::move(choice));
  }
  Json out = head("chat.completion");
  out["choices"] = std::move(all);
  out["usage"] = usage();
  out["timings"] = timings();
  return out;
}

Json ChatAnswer::chunk(int choice, Json delta, Json finish) const {
  Json out = head("chat.completion.chunk");
  Json only = {{"index", choice}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", finish}};
  out["choices"] = Json::array();
  out["choices"].push_back(std::move(only));
  if (chunk_usage_) out["usage"] = nullptr;
  return out;
}

std::vector<Json> ChatAnswer::first_chunks() const {
  std::vector<Json> out;
  for (size_t i = 0; i < choices_.size(); ++i)
    out.push_back(chunk(static_cast<int>(i), {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}}, nullptr));
  return out;
}

std::vector<Json> ChatAnswer::chunks(const TalkEvent& event) const {
  std::vector<Json> out;
  Json delta = Json::object();
  if (!event.delta.reasoning.empty()) delta["reasoning_content"] = event.delta.reasoning;
  if (!event.delta.text.empty()) delta["content"] = event.delta.text;
  for (const ToolCallDelta& call : event.delta.calls) {
    Json told = {{"index", call.index}};
    if (!call.id.empty()) told["id"] = call.id, told["type"] = "function";
    Json function = Json::object();
    if (!call.name.empty()) function["name"] = call.name;
    function["arguments"] = call.arguments;
    told["function"] = std::move(function);
    delta["tool_calls"].push_back(std::move(told));
  }
  if (!delta.empty() || !event.logprobs.empty()) {
    out.push_back(chunk(event.choice, std::move(delta), nullptr));
    if (with_logprobs_)
      out.back()["choices"][0]["logprobs"] = {{"content", logprobs(event.logprobs)}, {"refusal", nullptr}};
  }
  if (event.finish) {
    out.push_back(chunk(event.choice, Json::object(), reason_of(event)));
    const bool last = std::ranges::none_of(choices_, [](const Choice& c) { return c.finish.empty(); });
    if (last) out.back()["timings"] = timings();
  }
  return out;
}

Json ChatAnswer::usage_chunk() const {
  Json out = head("chat.completion.chunk");
  out["choices"] = Json::array();
  out["usage"] = usage();
  return out;
}

}  // namespace madang
