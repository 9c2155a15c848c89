// Anthropic's messages: requests as turns, turns as events, and the gathered message against the streamed one.
#include <gtest/gtest.h>

#include "serve/api/messages_answer.h"
#include "serve/api/messages_request.h"
#include "serve/problem.h"

namespace madang {
namespace {

Json request(Json more = Json::object()) {
  Json body = {
      {"model", "m"}, {"max_tokens", 9}, {"messages", Json::array({{{"role", "user"}, {"content", "Hello"}}})}};
  body.update(more);
  return body;
}

std::string fault_of(const Json& body, bool counting = false) {
  try {
    read_messages_request(body, counting);
    return "";
  } catch (const Problem& problem) {
    EXPECT_EQ(problem.status(), 400);
    return problem.param().empty() ? problem.message() : problem.param();
  }
}

TEST(MessagesRequest, ThreadsWithToolsBecomeChats) {
  const Json body = request({{"system", Json::array({{{"type", "text"}, {"text", "Be brief."}}})},
                             {"messages", Json::parse(R"([
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "Hm.", "signature": "x"},
      {"type": "text", "text": "Let me look."},
      {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "서울"}},
      {"type": "tool_use", "id": "t2", "name": "weather", "input": {}}]},
    {"role": "user", "content": [
      {"type": "tool_result", "tool_use_id": "t1", "content": "sunny"},
      {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": [{"type": "text", "text": "no city"}]},
      {"type": "text", "text": "And?"}]}])")},
                             {"tools", Json::parse(R"([{"name": "weather", "input_schema": {"type": "object"}}])")},
                             {"tool_choice", {{"type", "any"}, {"disable_parallel_tool_use", true}}},
                             {"thinking", {{"type", "enabled"}, {"budget_tokens", 2000}}},
                             {"stop_sequences", {"END"}},
                             {"top_k", 5}});
  const auto talk = read_messages_request(body, false).talk;
  const Json expected = Json::parse(R"([
    {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "Let me look.", "reasoning_content": "Hm.", "tool_calls": [
      {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"서울\"}"}},
      {"id": "t2", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "sunny"}]},
    {"role": "tool", "tool_call_id": "t2", "content": [{"type": "text", "text": "Error: "},
                                                       {"type": "text", "text": "no city"}]},
    {"role": "user", "content": [{"type": "text", "text": "And?"}]}])");
  EXPECT_EQ(talk.messages, expected) << talk.messages.dump(1);
  EXPECT_EQ(talk.tools, Json::parse(R"([{"type": "function", "function":
      {"name": "weather", "parameters": {"type": "object"}}}])"));
  EXPECT_EQ(talk.tool_choice, "required");
  EXPECT_FALSE(talk.parallel_tool_calls);
  EXPECT_EQ(talk.template_variables["enable_thinking"], true);
  EXPECT_EQ(talk.stops, std::vector<std::string>{"END"});
  EXPECT_EQ(talk.top_k, 5);
  EXPECT_EQ(talk.max_tokens, 9);
}

TEST(MessagesRequest, NamesWhatIsWrong) {
  EXPECT_EQ(fault_of(request()), "");
  EXPECT_EQ(fault_of(request({{"max_tokens", nullptr}})), "max_tokens");
  Json counted = request();
  EXPECT_EQ(fault_of(counted, true), "max_tokens");
  counted.erase("max_tokens");
  EXPECT_EQ(fault_of(counted, true), "");
  EXPECT_EQ(fault_of(request({{"no_such_field", 1}})), "no_such_field");
  EXPECT_EQ(fault_of(request({{"temperature", 1.5}})), "temperature");
  EXPECT_EQ(fault_of(request({{"messages", Json::array()}})), "messages");
  EXPECT_EQ(fault_of(request({{"mcp_servers", Json::array()}})), "mcp_servers");
  EXPECT_EQ(fault_of(request({{"stop_sequences", {""}}})), "stop_sequences[0]");
  EXPECT_EQ(fault_of(request({{"tools", Json::array({{{"type", "web_search_20250305"}}})}})), "tools[0].type");
  auto content = [](const char* role, const char* text) {
    return request({{"messages", Json::array({{{"role", role}, {"content", Json::parse(text)}}})}});
  };
  EXPECT_EQ(fault_of(content("user", R"([{"type": "image"}])")), "messages[0].content[0].type");
  EXPECT_EQ(fault_of(content("user", R"([{"type": "text", "text": 1}])")), "messages[0].content[0].text");
  EXPECT_EQ(fault_of(content("user", R"([{"type": "tool_result", "content": "x"}])")),
            "messages[0].content[0].tool_use_id");
  EXPECT_EQ(fault_of(content("user", "7")), "messages[0].content");
  EXPECT_EQ(fault_of(content("owner", "\"x\"")), "messages[0].role");
  EXPECT_EQ(fault_of(content("assistant", "\"Once\"")), "messages[0].role");
  EXPECT_EQ(fault_of(content("assistant", R"([{"type": "tool_use", "id": "a", "name": "b", "input": "x"}])")),
            "messages[0].content[0].input");
}

TalkEvent piece(AnswerDelta delta) {
  TalkEvent event;
  event.delta = std::move(delta);
  return event;
}

TEST(MessagesAnswer, EventsAreTheMessage) {
  MessagesAnswer answer("msg_1", "m", 30);
  std::vector<Json> events = answer.begin();
  auto push = [&](const TalkEvent& event) {
    for (Json& one : answer.push(event)) events.push_back(std::move(one));
  };
  push(piece({"I th", "", {}}));
  push(piece({"ink", "So", {}}));
  push(piece({}));
  push(piece({"", ": ", {{0, "call_a", "weather", ""}}}));
  push(piece({"", "", {{0, "", "", "{\"city\":"}}}));
  push(piece({"", "", {{0, "", "", "\"서울\"}"}, {1, "call_b", "time", ""}}}));
  TalkEvent last;
  last.finish = Finish::end;
  last.called_tools = true;
  last.usage = {30, 20, 12};
  push(last);

  std::vector<std::string> kinds;
  for (const Json& event : events) kinds.push_back(event["type"]);
  EXPECT_EQ(kinds,
            (std::vector<std::string>{
                "message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta",
                "content_block_stop", "content_block_start", "content_block_delta", "content_block_delta",
                "content_block_stop", "content_block_start", "content_block_delta", "content_block_delta",
                "content_block_stop", "content_block_start", "content_block_stop", "message_delta", "message_stop"}));
  const Json expected = Json::parse(R"([
    {"type": "thinking", "thinking": "I think", "signature": ""},
    {"type": "text", "text": "So: "},
    {"type": "tool_use", "id": "call_a", "name": "weather", "input": {"city": "서울"}},
    {"type": "tool_use", "id": "call_b", "name": "time", "input": {}}])");
  EXPECT_EQ(answer.message()["content"], expected);
  EXPECT_EQ(answer.message()["stop_reason"], "tool_use");
  EXPECT_EQ(answer.message()["usage"]["input_tokens"], 10);
  EXPECT_EQ(answer.message()["usage"]["cache_read_input_tokens"], 20);
  EXPECT_EQ(answer.message()["usage"]["output_tokens"], 12);

  // A client that gathers the stream has the same message.
  Json gathered = events[0]["message"];
  std::string arguments;
  for (const Json& event : events) {
    if (event["type"] == "content_block_start") gathered["content"].push_back(event["content_block"]);
    if (event["type"] == "content_block_delta") {
      const Json& delta = event["delta"];
      Json& block = gathered["content"][event["index"].get<size_t>()];
      if (delta["type"] == "text_delta")
        block["text"] = block["text"].get<std::string>() + delta["text"].get<std::string>();
      if (delta["type"] == "thinking_delta")
        block["thinking"] = block["thinking"].get<std::string>() + delta["thinking"].get<std::string>();
      if (delta["type"] == "input_json_delta") {
        arguments += delta["partial_json"].get<std::string>();
        block["input"] = Json::parse(arguments, nullptr, false);
      }
    }
    if (event["type"] == "message_delta") {
      gathered.update(event["delta"]);
      gathered["usage"] = event["usage"];
    }
  }
  EXPECT_EQ(gathered, answer.message());
}

TEST(MessagesAnswer, TellsWhyItEnded) {
  auto reason = [](Finish finish, std::optional<std::string> stop = {}) {
    MessagesAnswer answer("msg_1", "m", 3);
    TalkEvent last = piece({"", "x", {}});
    last.finish = finish;
    last.stop = std::move(stop);
    answer.push(last);
    return answer.message()["stop_reason"].get<std::string>() + "/" + answer.message()["stop_sequence"].dump();
  };
  EXPECT_EQ(reason(Finish::end), "end_turn/null");
  EXPECT_EQ(reason(Finish::length), "max_tokens/null");
  EXPECT_EQ(reason(Finish::stop, "END"), "stop_sequence/\"END\"");
  EXPECT_EQ(reason(Finish::context), "model_context_window_exceeded/null");
}

TEST(MessagesAnswer, BrokenArgumentsAreKept) {
  MessagesAnswer answer("msg_1", "m", 3);
  TalkEvent last = piece({"", "", {{0, "a", "f", "{\"x\": "}}});
  last.finish = Finish::length;
  answer.push(last);
  EXPECT_EQ(answer.message()["content"][0]["input"]["malformed_arguments"], "{\"x\": ");
}

}  // namespace
}  // namespace madang
