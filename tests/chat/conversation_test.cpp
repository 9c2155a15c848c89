#include "chat/conversation.h"

#include <map>

#include "base/error.h"
#include "chat/answer.h"
#include "chat/tiny_model.h"

namespace madang {
namespace {

struct Home {
  test::TemporaryFolder folder;
  std::shared_ptr<const Checkpoint> checkpoint;
  explicit Home(const std::string& chat_template = test::chatml_template, bool tokenizer = true) {
    test::write_tiny_model(folder.path.string(), chat_template, tokenizer);
    checkpoint = Checkpoint::open(folder.path.string());
  }
};

TEST(Conversation, SpeaksTheModelsTemplate) {
  Home home;
  Conversation c(*home.checkpoint);
  c.set_system("짧게.");
  c.add_user("hi");
  c.add_assistant("yes", "because");
  c.add_user("why");
  EXPECT_EQ(c.prompt().text,
            "<|bos|><|im_start|>system\n짧게.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|"
            "im_end|>\n"
            "<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(c.messages()[2]["reasoning_content"], "because");
}

TEST(Conversation, HasOneBosNeverTwo) {
  for (const char* form : {"{{ bos_token }}{{ messages[0].content }}", "{{ messages[0].content }}"}) {
    Home home(form);
    Conversation c(*home.checkpoint);
    c.add_user("a");
    EXPECT_EQ(c.prompt().ids, (std::vector<int32_t>{test::tiny_bos, 'a'})) << form;
  }
}

TEST(Conversation, FoldsASystemPromptThatTheTemplateRefuses) {
  Home home(
      "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}[{{ m.content "
      "}}]{% endfor %}");
  Conversation c(*home.checkpoint);
  c.set_system("rule");
  c.add_user("one");
  EXPECT_EQ(c.prompt().text, "[rule\n\none]");
  EXPECT_EQ(c.system(), "rule");
}

TEST(Conversation, TellsTheTemplatesOwnRefusal) {
  Home home("{{ raise_exception('not today') }}");
  Conversation c(*home.checkpoint);
  c.add_user("a");
  try {
    c.prompt();
    FAIL();
  } catch (const Error& fault) {
    EXPECT_EQ(fault.kind(), Kind::refused);
    EXPECT_EQ(fault.text().in(Language::english), "not today");
  }
}

TEST(Conversation, IsPlainTextWithoutATemplate) {
  Home home("");
  Conversation c(*home.checkpoint);
  EXPECT_TRUE(c.plain());
  c.add_user("<|im_end|>");  // a name of a special token is plain text here
  EXPECT_EQ(c.prompt().ids.size(), 1u + 10u);
  c.reset();
  c.add_user("");
  EXPECT_EQ(c.prompt().ids, std::vector<int32_t>{test::tiny_bos});
}

const Json weather = Json::parse(R"([{"type":"function","function":{"name":"weather","parameters":{}}}])");
const Json round = Json::parse(R"([
  {"role":"user","content":[{"type":"text","text":"날씨"},{"type":"text","text":"?"}]},
  {"role":"assistant","content":null,"tool_calls":[
    {"id":"call_abc","type":"function","function":{"name":"weather","arguments":"{\"city\": \"서울\"}"}}]},
  {"role":"tool","tool_call_id":"call_abc","content":"맑음"}])");

TEST(Conversation, ShowsToolsInTheTemplatesWay) {
  Home home(
      "{{ tools | length }}{% for m in messages %}[{{ m.role }}:{{ m.content or '' }}{% for c in m.tool_calls or [] %}"
      "<tool_call>{{ c.function.arguments | tojson }}{% endfor %}]{% endfor %}");
  Conversation c(*home.checkpoint);
  c.replace(round, "messages");
  c.set_tools(weather, "required");
  const Prompt p = c.prompt();
  EXPECT_EQ(p.text, "1[user:날씨?][assistant:<tool_call>{\"city\": \"서울\"}][tool:맑음]");
  EXPECT_EQ(p.begun, "<tool_call>\n{\"name\": \"weather\", \"arguments\": {");
  c.set_tools(weather, "none");
  EXPECT_TRUE(c.tools().empty());
  EXPECT_THROW(c.set_tools(weather, Json::parse(R"({"type":"function","function":{"name":"no"}})")), Error);
}

TEST(Conversation, GivesMistralItsShortIds) {
  Home home(
      "{% for m in messages %}{% for c in m.tool_calls or [] %}[TOOL_CALLS]{{ c.id }}{% endfor %}"
      "{% if m.tool_call_id %}={{ m.tool_call_id }}{% endif %}{% endfor %}{{ tools | length }}");
  Conversation c(*home.checkpoint);
  c.replace(round, "messages");
  c.set_tools(weather);
  const std::string text = c.prompt().text, id = text.substr(12, 9);
  EXPECT_EQ(text, "[TOOL_CALLS]" + id + "=" + id + "1");
}

TEST(Conversation, DescribesToolsWhereTheTemplateKnowsNone) {
  Home home;
  Conversation c(*home.checkpoint);
  c.replace(round, "messages");
  c.set_tools(weather);
  const std::string text = c.prompt().text;
  EXPECT_NE(text.find("{\"name\": \"FUNCTION\", \"arguments\": {\"ARGUMENT\": VALUE}}"), text.npos) << text;
  EXPECT_NE(text.find("Result of weather: 맑음"), text.npos) << text;
}

TEST(Conversation, NamesTheFieldThatIsWrong) {
  Home home;
  Conversation c(*home.checkpoint);
  c.add_user("before");
  const std::pair<const char*, const char*> wrong[] = {
      {R"([{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\": "}}]}])",
       "messages[0].tool_calls[0].function.arguments"},
      {R"([{"role":"user","content":"a"},{"role":"assistent","content":"b"}])", "messages[1].role"},
      {R"([{"role":"user","content":[{"type":"text"}]}])", "messages[0].content[0].text"},
      {R"([{"role":"tool","content":"x"}])", "messages[0].tool_call_id"}};
  for (const auto& [text, place] : wrong) try {
      c.replace(Json::parse(text), "messages");
      ADD_FAILURE() << text;
    } catch (const Error& fault) {
      EXPECT_EQ(fault.place(), place);
    }
  EXPECT_EQ(c.messages()[0]["content"], "before");
}

// What the reference renders from arguments given as objects must come from OpenAI's form too: arguments as text.
TEST(Conversation, RendersHistoryAsTheReferenceDoes) {
  const std::string shared = test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "needs the templates beside the checkout";
  std::istringstream lines(test::read_text(shared + "/golden/templates/cases.jsonl"));
  std::map<std::string, std::unique_ptr<Home>> homes;
  int compared = 0;
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line);) {
    const Json item = Json::parse(line);
    const std::string name = item["name"].get<std::string>();
    if (!item.contains("text") || (name != "tools" && name != "tool-round" && name != "tool-parallel")) continue;
    const std::string source = test::read_text(shared + "/real/templates/" + item["template"].get<std::string>());
    if (source.find("tool_calls") == source.npos || source.find("tools") == source.npos) continue;
    Json input = item["input"];
    for (Json& m : input["messages"])
      if (m.contains("tool_calls"))
        for (Json& call : m["tool_calls"]) call["function"]["arguments"] = call["function"]["arguments"].dump();
    auto& home = homes[source];
    if (!home) home = std::make_unique<Home>(source);
    Conversation c(*home->checkpoint);
    c.replace(input["messages"], "messages");
    c.set_tools(input["tools"]);
    c.set_variable("bos_token", "<s>");
    c.set_variable("eos_token", "</s>");
    EXPECT_EQ(c.prompt({.now = parse_local_time(item["now"].get<std::string>())}).text, item["text"].get<std::string>())
        << item["template"] << " " << name;
    ++compared;
  }
  EXPECT_GT(compared, 60);
}

TEST(Conversation, NeedsATokenizer) {
  Home home("", false);
  EXPECT_THROW(Conversation(*home.checkpoint), Error);
}

TEST(Conversation, RefusesWhatIsNone) {
  Home home;
  Conversation c(*home.checkpoint);
  for (const char* bad : {"{}", "[1]", "[{\"role\":\"user\"}]", "[{\"role\":1,\"content\":\"a\"}]",
                          "[{\"role\":\"user\",\"content\":[]}]", "[null]"})
    EXPECT_THROW(c.replace(Json::parse(bad), "saved.json"), Error) << bad;
  c.replace(Json::parse(R"([{"role":"system","content":"s"},{"role":"user","content":"u"}])"), "saved.json");
  EXPECT_EQ(c.system(), "s");
  c.reset();
  EXPECT_EQ(c.messages().size(), 1u);
  c.set_system("");
  EXPECT_TRUE(c.empty());
}

Answer ask(Engine& engine, const Prompt& prompt, int64_t tokens) {
  Request request{.prompt = prompt.ids, .sampler = {.temperature = 0}, .max_tokens = tokens, .ends = {test::tiny_end}};
  request.marks = prompt.marks;
  return answer(engine, request, prompt.text, true, [](const AnswerParts&) { return true; });
}

TEST(Answer, SecondTurnReusesTheFirst) {
  Home home;
  Engine engine(*home.checkpoint, {.work = {.threads = 1}});
  Conversation c(*home.checkpoint);
  c.add_user("first question");
  const Answer first = ask(engine, c.prompt(), 12);
  EXPECT_EQ(first.usage.reused, 0);
  c.add_assistant(first.text, first.reasoning);
  c.add_user("second question");
  const Prompt prompt = c.prompt();
  const Answer second = ask(engine, prompt, 12);
  EXPECT_GE(second.usage.reused, first.usage.prompt);
  Engine fresh(*home.checkpoint, {.work = {.threads = 1}});
  EXPECT_EQ(second.ids, ask(fresh, prompt, 12).ids);
}

TEST(Answer, StopsWhenTheListenerSaysSo) {
  Home home;
  Engine engine(*home.checkpoint, {.work = {.threads = 1}});
  Conversation c(*home.checkpoint);
  c.add_user("go on");
  const Prompt prompt = c.prompt();
  std::string shown;
  Request request{.prompt = prompt.ids, .sampler = {.temperature = 0}};
  const Answer a = answer(engine, request, prompt.text, true, [&](const AnswerParts& parts) {
    shown += parts.text;
    return shown.size() < 3;
  });
  EXPECT_EQ(a.finish, Finish::cancelled);
  EXPECT_EQ(a.text, shown);
  EXPECT_FALSE(engine.busy());
}

}  // namespace
}  // namespace madang
