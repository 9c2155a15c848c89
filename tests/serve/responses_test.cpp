// OpenAI's responses: items as messages, requests as turns, turns as numbered events whose sum is the response.
#include <gtest/gtest.h>

#include "serve/api/named_events.h"
#include "serve/api/responses_answer.h"
#include "serve/api/responses_items.h"
#include "serve/api/responses_request.h"
#include "serve/problem.h"
#include "support.h"

namespace madang {
namespace {

std::string fault_of(const Json& more) {
  Json body = {{"model", "m"}, {"input", "Hello"}};
  body.update(more);
  try {
    read_responses_request(body);
    return "";
  } catch (const Problem& problem) {
    EXPECT_EQ(problem.status(), 400);
    return problem.param();
  }
}

TEST(ResponsesItems, AThreadBecomesAChat) {
  const Json items = whole_items(Json::parse(R"([
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
    {"type": "message", "role": "assistant", "id": "msg_x", "status": "completed",
     "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}]},
    {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\": 1}"},
    {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "rain"}]},
    {"role": "assistant", "content": "Both."},
    {"role": "assistant", "content": "Well."}])"));
  EXPECT_EQ(items[3]["id"], "msg_x");
  for (const Json& item : items) EXPECT_FALSE(item["id"].get<std::string>().empty());
  const Json expected = Json::parse(R"([
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": "Let me look.", "reasoning_content": "Hm.", "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": 1}"}},
      {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "tool", "tool_call_id": "c2", "content": "rain"},
    {"role": "assistant", "content": "Both."},
    {"role": "assistant", "content": "Well."}])");
  EXPECT_EQ(messages_of(items), expected) << messages_of(items).dump(1);
}

TEST(ResponsesItems, AModelsBrokenCallDoesNotEndTheConversation) {
  // As a stored answer holds it; from a client it is refused.
  const Json stored = Json::parse(R"([{"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f",
                                       "arguments": "{\"x\": ", "status": "incomplete"}])");
  const Json messages = messages_of(stored);
  EXPECT_EQ(messages[0]["tool_calls"][0]["function"]["arguments"], R"({"malformed_arguments":"{\"x\": "})");
  EXPECT_EQ(fault_of({{"input", stored}}), "input[0].arguments");
}

TEST(ResponsesRequest, NamesWhatIsWrong) {
  EXPECT_EQ(fault_of(Json::object()), "");
  EXPECT_EQ(fault_of({{"input", nullptr}}), "input");
  EXPECT_EQ(fault_of({{"inputs", "x"}}), "inputs");
  EXPECT_EQ(fault_of({{"background", true}}), "background");
  EXPECT_EQ(fault_of({{"background", false}}), "");
  EXPECT_EQ(fault_of({{"truncation", "auto"}}), "truncation");
  EXPECT_EQ(fault_of({{"temperature", 3}}), "temperature");
  EXPECT_EQ(fault_of({{"metadata", {{"a", 1}}}}), "metadata");
  EXPECT_EQ(fault_of({{"conversation", "conv_1"}}), "conversation");
  EXPECT_EQ(fault_of({{"include", {"file_search_call.results"}}}), "include[0]");
  EXPECT_EQ(fault_of({{"text", Json::parse(R"({"format": {"type": "json_schema", "name": "x", "schema": {}}})")}}),
            "text.format.type");
  EXPECT_EQ(fault_of({{"tools", Json::parse(R"([{"type": "web_search"}])")}}), "tools[0].type");
  EXPECT_EQ(fault_of({{"tools", Json::parse(R"([{"type": "function", "name": "f", "strict": true}])")}}),
            "tools[0].strict");
  EXPECT_EQ(fault_of({{"input", Json::parse(R"([{"role": "user", "content": [{"type": "input_image"}]}])")}}),
            "input[0].content[0].type");
  EXPECT_EQ(fault_of({{"input", Json::parse(R"([{"type": "item_reference", "id": "x"}])")}}), "input[0].type");
}

TEST(ResponsesRequest, WantsSomethingToAnswer) {
  EXPECT_EQ(fault_of({{"input", Json::array()}}), "input");
  EXPECT_EQ(fault_of({{"input", Json::array()}, {"instructions", "Greet."}}), "");
  EXPECT_EQ(fault_of({{"input", Json::array()}, {"previous_response_id", "resp_1"}}), "");
}

TEST(ResponsesRequest, EchoesWhatItTook) {
  const auto request = read_responses_request(Json::parse(R"({
    "model": "m", "input": "Hi", "instructions": "Be brief.", "temperature": 0.5, "max_output_tokens": 7,
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
    "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": false,
    "reasoning": {"effort": "low"}, "include": ["message.output_text.logprobs"], "top_logprobs": 2, "store": false})"));
  EXPECT_EQ(request.response["instructions"], "Be brief.");
  EXPECT_EQ(request.response["tool_choice"]["name"], "f");
  EXPECT_EQ(request.response["reasoning"]["effort"], "low");
  EXPECT_EQ(request.talk.tool_choice["function"]["name"], "f");
  EXPECT_EQ(request.talk.template_variables["reasoning_effort"], "low");
  EXPECT_EQ(request.talk.top_logprobs, 2);
  EXPECT_EQ(request.talk.max_tokens, 7);
  EXPECT_EQ(request.store, false);
  EXPECT_TRUE(request.logprobs);
  EXPECT_EQ(request.input[0]["content"][0]["text"], "Hi");
}

std::vector<Json> whole_turn(ResponsesAnswer& answer, Finish finish) {
  std::vector<Json> events = answer.begin();
  auto push = [&](AnswerDelta delta, std::optional<Finish> end = {}) {
    TalkEvent event;
    event.delta = std::move(delta);
    if (!event.delta.text.empty()) event.logprobs = {{7, -0.5f, {{7, -0.5f}, {8, -1.5f}}}};
    event.finish = end;
    if (end == Finish::failed) event.fault = not_numbers();
    event.usage = {30, 20, 12};
    for (Json& one : answer.push(event)) events.push_back(std::move(one));
  };
  push({"Hm", "", {}});
  push({".", "", {}});
  push({"", "안", {}});
  push({"", "녕", {}});
  push({"", "", {{0, "call_a", "weather", "{\"ci"}}});
  push({"", "", {{0, "", "", "ty\": 1}"}, {1, "call_b", "time", ""}}});
  push({"", "", {{1, "", "", "{}"}}}, finish);
  events.push_back(answer.end());
  return events;
}

ResponsesAnswer fresh_answer() {
  Json response = read_responses_request({{"model", "m"}, {"input", "Hi"}}).response;
  response["id"] = "resp_1";
  response["created_at"] = 5;
  response["store"] = false;
  return ResponsesAnswer(response, [](int32_t id) { return "t" + std::to_string(id); });
}

TEST(ResponsesAnswer, EventsAreNumberedAndAddUp) {
  ResponsesAnswer answer = fresh_answer();
  const auto events = whole_turn(answer, Finish::end);
  std::vector<std::string> kinds;
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["sequence_number"], i);
    kinds.push_back(events[i]["type"].get<std::string>().substr(9));
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"created",
                                             "in_progress",
                                             "output_item.added",
                                             "content_part.added",
                                             "reasoning_text.delta",
                                             "reasoning_text.delta",
                                             "reasoning_text.done",
                                             "content_part.done",
                                             "output_item.done",
                                             "output_item.added",
                                             "content_part.added",
                                             "output_text.delta",
                                             "output_text.delta",
                                             "output_text.done",
                                             "content_part.done",
                                             "output_item.done",
                                             "output_item.added",
                                             "function_call_arguments.delta",
                                             "function_call_arguments.delta",
                                             "function_call_arguments.done",
                                             "output_item.done",
                                             "output_item.added",
                                             "function_call_arguments.delta",
                                             "function_call_arguments.done",
                                             "output_item.done",
                                             "completed"}));
  const Json& output = answer.response()["output"];
  ASSERT_EQ(output.size(), 4u);
  EXPECT_EQ(output[0]["content"][0]["text"], "Hm.");
  EXPECT_EQ(output[1]["content"][0]["text"], "안녕");
  EXPECT_EQ(output[1]["content"][0]["logprobs"].size(), 2u);
  EXPECT_EQ(output[2]["arguments"], "{\"city\": 1}");
  EXPECT_EQ(output[3]["name"], "time");
  for (const Json& item : output) EXPECT_EQ(item["status"], "completed");
  EXPECT_EQ(events.back()["response"], answer.response());
  Json done = Json::array();
  for (const Json& event : events)
    if (event["type"] == "response.output_item.done") done.push_back(event["item"]);
  EXPECT_EQ(done, output);
  // What it answered can be what comes next.
  EXPECT_EQ(messages_of(output)[0]["reasoning_content"], "Hm.");
}

TEST(ResponsesAnswer, TellsWhenItIsNotWhole) {
  ResponsesAnswer cut = fresh_answer();
  EXPECT_EQ(whole_turn(cut, Finish::length).back()["type"], "response.incomplete");
  EXPECT_EQ(cut.response()["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(cut.response()["output"].back()["status"], "incomplete");
  ResponsesAnswer failed = fresh_answer();
  EXPECT_EQ(whole_turn(failed, Finish::failed).back()["type"], "response.failed");
  EXPECT_EQ(failed.response()["error"]["code"], "server_error");
  EXPECT_EQ(
      failed.response()["error"]["message"],
      "the model's logits are not numbers (try: a weight may be damaged: fetch the file again, or convert it anew)");
  ResponsesAnswer left = fresh_answer();
  whole_turn(left, Finish::cancelled);
  EXPECT_EQ(left.response()["status"], "cancelled");
  EXPECT_EQ(left.response()["output"].back()["status"], "incomplete");
  ResponsesAnswer whole = fresh_answer();
  whole_turn(whole, Finish::end);
  whole.cancel();  // too late
  EXPECT_EQ(whole.response()["status"], "completed");
}

TEST(NamedEvents, IdsAreMany) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(new_id("resp_"));
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_EQ(named_event({{"type", "ping"}}), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
  EXPECT_EQ(json_text("a\xff"), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace madang
