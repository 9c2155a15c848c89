// Tool calls of every family: what is read from whole answers, and that no way of cutting an answer into pieces changes
// a byte of it.
#include "chat/answer_reader.h"

#include <random>

#include "chat/family.h"
#include "support.h"

namespace madang {
namespace {

struct Read {
  std::string reasoning, text;
  std::vector<ToolCallDelta> calls;  // whole
  bool operator==(const Read&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Read& r) {
  out << "reasoning \"" << r.reasoning << "\" text \"" << r.text << "\"";
  for (const ToolCallDelta& c : r.calls)
    out << " call " << c.index << " " << c.id << " " << c.name << " " << c.arguments;
  return out;
}

void gather(Read& into, const AnswerDelta& d) {
  into.reasoning += d.reasoning, into.text += d.text;
  for (const ToolCallDelta& c : d.calls) {
    if (!c.name.empty()) {
      EXPECT_EQ(c.index, static_cast<int>(into.calls.size()));
      into.calls.push_back({c.index, c.id, c.name, ""});
    }
    ASSERT_LT(static_cast<size_t>(c.index), into.calls.size());
    into.calls[static_cast<size_t>(c.index)].arguments += c.arguments;
  }
}

const Json weather_tools = Json::parse(
    R"([{"type": "function", "function": {"name": "weather", "parameters": {}}},
        {"type": "function", "function": {"name": "add", "parameters": {}}}])");

Read read(const ChatFamily& family, const std::vector<std::string>& pieces, const std::string& prompt,
          const Json& tools = weather_tools, ReaderOptions options = {}) {
  AnswerReader reader(family, prompt, tools, std::move(options));
  Read out;
  for (const std::string& piece : pieces) gather(out, reader.push(piece));
  gather(out, reader.finish());
  return out;
}

const ChatFamily& family(std::string_view name) {
  for (const ChatFamily* f : chat_families())
    if (f->name == name) return *f;
  ADD_FAILURE() << name;
  return *chat_families().back();
}

struct Case {
  const char* family;
  std::string answer;
  std::string text;
  std::vector<std::pair<std::string, std::string>> calls;  // name, arguments as JSON
  std::string reasoning = "";
  std::string prompt = "";
};

std::vector<Case> cases() {
  const std::string seoul = R"({"city":"서울","note":"a } \" { 🌧"})";
  const std::string call = R"({"name": "weather", "arguments": )" + seoul + "}";
  const std::string parameters = R"({"name": "weather", "parameters": )" + seoul + "}";
  return {
      {"hermes", "<tool_call>\n" + call + "\n</tool_call>", "", {{"weather", seoul}}},
      {"hermes",
       "알겠습니다.\n\n<tool_call>\n" + call + "\n</tool_call>\n<tool_call>" +
           R"({"name":"add","arguments":{"a":1,"b":2.5}})" + "</tool_call>",
       "알겠습니다.",
       {{"weather", seoul}, {"add", R"({"a":1,"b":2.5})"}}},
      {"hermes", "<think>\nhm\n</think>\n\n<tool_call>" + call + "</tool_call>", "", {{"weather", seoul}}, "\nhm\n"},
      {"hermes", "<tool_call>" + call + " 그리고", "그리고", {{"weather", seoul}}},
      {"hermes", "<tool_call>not json</tool_call> after", "<tool_call>not json</tool_call> after", {}},
      {"hermes", "a < b and <tool_", "a < b and <tool_", {}},
      {"hermes",
       "<tool_call>\n<function=weather>\n<parameter=city>\n서울\n</parameter>\n<parameter=days>\n3\n</parameter>\n"
       "</function>\n</tool_call>",
       "",
       {{"weather", R"({"city":"서울","days":3})"}}},
      {"llama", parameters, "", {{"weather", seoul}}},
      {"llama",
       "<|python_tag|>" + parameters + "; " + R"({"name":"add","parameters":{"a":1}})",
       "",
       {{"weather", seoul}, {"add", R"({"a":1})"}}},
      {"llama",
       "[weather(city=\"서울\", days=3), add(a=1, b=[1, 'x'], c={'k': None})]",
       "",
       {{"weather", R"({"city":"서울","days":3})"}, {"add", R"({"a":1,"b":[1,"x"],"c":{"k":null}})"}}},
      {"llama", R"({"name": "unknown", "parameters": {}})", R"({"name": "unknown", "parameters": {}})", {}},
      {"llama", "The set {1, 2} is small.", "The set {1, 2} is small.", {}},
      {"llama", R"({"key": [1, 2]} is JSON)", R"({"key": [1, 2]} is JSON)", {}},
      {"mistral",
       "[TOOL_CALLS][" + call + R"(, {"name":"add","arguments":{}}])",
       "",
       {{"weather", seoul}, {"add", "{}"}}},
      {"mistral",
       "[TOOL_CALLS]weather[ARGS]" + seoul + R"([TOOL_CALLS]add[CALL_ID]abc[ARGS]{"a":1})",
       "",
       {{"weather", seoul}, {"add", R"({"a":1})"}}},
      {"mistral", "[TOOL_CALLS", "[TOOL_CALLS", {}},
      {"deepseek",
       "좋아요.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n" + seoul +
           "\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"a\":1}\n```"
           "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "좋아요.",
       {{"weather", seoul}, {"add", R"({"a":1})"}}},
      {"deepseek",
       "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>" + seoul +
           "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
       "",
       {{"weather", seoul}}},
      {"command-r",
       "Action: ```json\n[\n    {\n        \"tool_name\": \"weather\",\n        \"parameters\": " + seoul +
           "\n    }\n]```",
       "",
       {{"weather", seoul}}},
      {"command-r7b",
       "<|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"weather\", \"parameters\": " + seoul +
           "}\n]<|END_ACTION|>",
       "",
       {{"weather", seoul}}},
      {"phi-4-mini", "<|tool_call|>[" + call + "]<|/tool_call|>", "", {{"weather", seoul}}},
      {"hyperclova", " -> tool/function_call\n[" + call + "]", "", {{"weather", seoul}}},
      {"kanana", "<function=weather>" + seoul + "</function>", "", {{"weather", seoul}}},
      {"functionary",
       "weather\n" + seoul + ">>>add\n{\"a\":1}",
       "",
       {{"weather", seoul}, {"add", R"({"a":1})"}},
       "",
       "<|start_header_id|>assistant<|end_header_id|>\n\n>>>"},
      {"functionary", "weather\nno JSON", ">>>weather\nno JSON", {}, "", "...>>>"},
      {"command-r7b",
       "<|START_THINKING|>생각<|END_THINKING|><|START_ACTION|>[{\"tool_name\": \"weather\", \"parameters\": " + seoul +
           "}]<|END_ACTION|>",
       "",
       {{"weather", seoul}},
       "생각"},
      {"functionary", "all\n안녕하세요", "안녕하세요", {}, "", "...>>>"},
      {"gemma", "```tool_code\nweather(city=\"서울\")\n```", "", {{"weather", R"({"city":"서울"})"}}},
      {"gemma", "```tool_code\nprint(add(a=1))\n```", "", {{"add", R"({"a":1})"}}},
      {"gemma", parameters, "", {{"weather", seoul}}},
      {"gemma", "```json\n{\"no\": \"call\"}\n``` done", "```json\n{\"no\": \"call\"}\n``` done", {}},
      {"kimi",
       "네.<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>" + seoul +
           "<|tool_call_end|>\n<|tool_call_begin|>functions.add:1<|tool_call_argument_begin|>{\"a\":1}<|tool_call_end|>"
           "<|tool_calls_section_end|>",
       "네.",
       {{"weather", seoul}, {"add", R"({"a":1})"}}},
      {"lfm2",
       "<|tool_call_start|>[weather(city=\"서울\", days=3), add(a=1)]<|tool_call_end|>찾아볼게요.",
       "찾아볼게요.",
       {{"weather", R"({"city":"서울","days":3})"}, {"add", R"({"a":1})"}}},
      {"lfm2", "<|tool_call_start|>[" + call + "]<|tool_call_end|>", "", {{"weather", seoul}}},
      {"glm",
       "<think>음</think>\n<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>서울\n시</arg_value>\n<arg_key>days"
       "</arg_key>\n<arg_value>[1, 2]</arg_value>\n</tool_call>\n<tool_call>add</tool_call>",
       "",
       {{"weather", R"({"city":"서울\n시","days":[1,2]})"}, {"add", "{}"}},
       "음"},
      {"glm",
       "<tool_call>weather<arg_key>city</arg_key><arg_value>서울</arg_value></tool_call>",
       "",
       {{"weather", R"({"city":"서울"})"}}},
      {"glm", "<tool_call>no call</tool_call> after", "<tool_call>no call</tool_call> after", {}},
      {"gemma-4",
       "<|channel>thought\n음<channel|>네.<|tool_call>call:weather{city:<|\"|>서울, "
       "{1}<|\"|>,days:3,more:{a:[1,<|\"|>x<|\"|>],"
       "b:true}}<tool_call|><|tool_call>call:add{}<tool_call|>",
       "네.",
       {{"weather", R"({"city":"서울, {1}","days":3,"more":{"a":[1,"x"],"b":true}})"}, {"add", "{}"}},
       "\n음"},
      {"gemma-4", "<|tool_call>not a call<tool_call|>", "<|tool_call>not a call<tool_call|>", {}},
      {"deepseek-v3.2",
       "네.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"weather\">\n<｜DSML｜parameter name=\"city\" "
       "string=\"true\">서울\"<"
       "</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">[1, "
       "2]</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
       "<｜DSML｜invoke name=\"add\">\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
       "네.",
       {{"weather", R"({"city":"서울\"<","days":[1,2]})"}, {"add", "{}"}}},
      {"deepseek-v3.2",
       "<｜DSML｜tool_calls><｜DSML｜invoke name=\"add\"><｜DSML｜parameter name=\"a\" "
       "string=\"true\">1</｜DSML｜parameter>"
       "</｜DSML｜invoke></｜DSML｜tool_calls>",
       "",
       {{"add", R"({"a":"1"})"}}},
      {"seed",
       "<seed:think>음</seed:think>\n<seed:tool_call>\n<function=weather>\n<parameter=city>서울</"
       "parameter>\n<parameter=days>"
       "3</parameter>\n</function>\n</seed:tool_call>",
       "",
       {{"weather", R"({"city":"서울","days":3})"}},
       "음"},
      {"function-gemma",
       "<start_function_call>call:weather{city:<escape>서울<escape>}<end_function_call>",
       "",
       {{"weather", R"({"city":"서울"})"}}},
      {"plain", call, "", {{"weather", seoul}}},
      {"plain", "안녕하세요 🌸", "안녕하세요 🌸", {}},
      {"harmony",
       "<|channel|>analysis<|message|>생각<|end|><|start|>assistant<|channel|>final<|message|>답입니다.<|return|>",
       "답입니다.",
       {},
       "생각",
       "<|start|>assistant"},
      {"harmony",
       "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>commentary to=functions.weather "
       "<|constrain|>json<|message|>" +
           seoul + "<|call|>",
       "",
       {{"weather", seoul}},
       "x",
       "...<|start|>assistant"},
      {"harmony", "그냥 글", "그냥 글", {}, "", "<|start|>assistant"},
  };
}

TEST(AnswerReader, ReadsEveryFamily) {
  for (const Case& c : cases()) {
    const Read got = read(family(c.family), {c.answer}, c.prompt);
    EXPECT_EQ(got.text, c.text) << c.family << ": " << c.answer;
    EXPECT_EQ(got.reasoning, c.reasoning) << c.family << ": " << c.answer;
    ASSERT_EQ(got.calls.size(), c.calls.size()) << c.family << ": " << c.answer;
    for (size_t i = 0; i < c.calls.size(); ++i) {
      EXPECT_EQ(got.calls[i].name, c.calls[i].first);
      EXPECT_EQ(Json::parse(got.calls[i].arguments), Json::parse(c.calls[i].second)) << c.family;
      EXPECT_EQ(got.calls[i].id.size(), family(c.family).short_ids ? 9u : 29u);
    }
  }
}

TEST(AnswerReader, EverySplitGivesTheSame) {
  std::mt19937_64 random(test::seed());
  std::vector<Case> all = cases();
  for (const Case& c : cases())  // cut off anywhere, and with noise inside
    for (int i = 0; i < 12; ++i) {
      Case cut = c;
      cut.answer = c.answer.substr(0, random() % (c.answer.size() + 1));
      if (i % 3 == 2 && !cut.answer.empty())
        cut.answer[random() % cut.answer.size()] = "{}[]<>\"\\ \n`|a"[random() % 14];
      all.push_back(cut);
    }
  for (const Case& c : all)
    for (const ChatFamily* f : {&family(c.family), chat_families()[random() % chat_families().size()]})
      for (const Json& tools : {weather_tools, Json::array()}) {
        const Read whole = read(*f, {c.answer}, c.prompt, tools);
        for (size_t at = 0; at <= c.answer.size(); ++at)
          ASSERT_EQ(read(*f, {c.answer.substr(0, at), c.answer.substr(at)}, c.prompt, tools), whole)
              << f->name << " cut at " << at << ": " << c.answer;
        std::vector<std::string> bytes, pieces;
        for (char ch : c.answer) {
          bytes.emplace_back(1, ch);
          if (pieces.empty() || random() % 4 == 0) pieces.emplace_back();
          pieces.back() += ch;
        }
        ASSERT_EQ(read(*f, bytes, c.prompt, tools), whole) << f->name << " byte by byte: " << c.answer;
        ASSERT_EQ(read(*f, pieces, c.prompt, tools), whole) << f->name << " in pieces: " << c.answer;
      }
}

TEST(AnswerReader, WithoutToolsMarkersAreText) {
  for (const Case& c : cases()) {
    if (family(c.family).channels) continue;
    const Read got = read(family(c.family), {c.answer}, c.prompt, Json::array());
    EXPECT_TRUE(got.calls.empty());
    const std::string all = "all\n";  // functionary's word for "to the user"
    const std::string wanted = c.prompt.ends_with(">>>") && c.answer.starts_with(all) ? c.answer.substr(4) : c.answer;
    if (c.reasoning.empty()) {
      EXPECT_EQ(got.text, wanted) << c.family;
    }
  }
}

TEST(AnswerReader, AForcedBeginningOfOtherWritingsCountsToo) {
  const std::tuple<const char*, const char*> rests[] = {
      {"lfm2", "city=\"서울\")]<|tool_call_end|>"},
      {"glm", "<arg_key>city</arg_key>\n<arg_value>서울</arg_value>\n</tool_call>"},
      {"gemma-4", "city:<|\"|>서울<|\"|>}<tool_call|>"},
      {"deepseek-v3.2",
       "<｜DSML｜parameter name=\"city\" "
       "string=\"true\">서울</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>"},
      {"seed", "<parameter=city>서울</parameter>\n</function>\n</seed:tool_call>"},
      {"function-gemma", "city:<escape>서울<escape>}<end_function_call>"}};
  for (const auto& [name, rest] : rests) {
    const std::string begun = forced_opening(family(name), "weather", "");
    const Read got = read(family(name), {rest}, "", weather_tools, {.begun = begun});
    ASSERT_EQ(got.calls.size(), 1u) << name << got;
    EXPECT_EQ(got.calls[0].name, "weather");
    EXPECT_EQ(Json::parse(got.calls[0].arguments), (Json{{"city", "서울"}})) << name;
    EXPECT_EQ(got.text, "") << name;
  }
}

// Families whose arguments are JSON as the model writes them.
std::vector<const ChatFamily*> json_families() {
  std::vector<const ChatFamily*> out;
  for (const ChatFamily* f : chat_families())
    if (f->head || f->channels) out.push_back(f);
  return out;
}

TEST(AnswerReader, AForcedBeginningCountsAsSaid) {
  for (const ChatFamily* f : json_families()) {
    const std::string prompt = f->channels ? "<|start|>assistant" : "";
    const std::string begun = forced_opening(*f, "weather", prompt);
    const std::string arguments = R"({"city": "서울"})";
    for (std::string tail : {arguments + std::string(f->ending), std::string(R"({"city": "서)")}) {
      if (begun.ends_with('{')) tail.erase(0, 1);
      const Read got = read(*f, {tail}, prompt, weather_tools, {.begun = begun});
      ASSERT_EQ(got.calls.size(), 1u) << f->name << " " << begun << tail << " -> " << got;
      EXPECT_EQ(got.calls[0].name, "weather") << f->name;
      EXPECT_EQ(got.text, "") << f->name;
      EXPECT_TRUE(got.calls[0].arguments.starts_with(R"({"city")") || f->name == "gemma") << f->name << got;
    }
  }
}

TEST(AnswerReader, ArgumentsComeAsTheyAreWritten) {
  const std::string before = R"({"city": "서울", "days)", after = R"(": [1, 2]})";
  for (const ChatFamily* f : json_families()) {
    const std::string prompt = f->channels ? "<|start|>assistant" : "";
    const std::string begun = forced_opening(*f, "weather", prompt);
    AnswerReader reader(*f, prompt, weather_tools, {.begun = begun});
    Read got;
    gather(got, reader.push(before.substr(begun.ends_with('{') ? 1 : 0)));
    ASSERT_EQ(got.calls.size(), 1u) << f->name;
    EXPECT_EQ(got.calls[0].arguments, before) << f->name;
    gather(got, reader.push(after + std::string(f->ending)));
    gather(got, reader.finish());
    EXPECT_EQ(got.calls[0].arguments, before + after) << f->name;
    EXPECT_EQ(got.text, "") << f->name;
  }
}

TEST(AnswerReader, OneCallOnlyWhereMoreAreNotAllowed) {
  const std::string two =
      R"(<tool_call>{"name":"add","arguments":{}}</tool_call><tool_call>{"name":"add","arguments":{}}</tool_call>)";
  AnswerReader reader(family("hermes"), "", weather_tools, {.parallel_tool_calls = false});
  Read got;
  gather(got, reader.push(two));
  EXPECT_TRUE(reader.done());
  gather(got, reader.finish());
  EXPECT_EQ(got.calls.size(), 1u);
  EXPECT_EQ(read(family("hermes"), {two}, "").calls.size(), 2u);
}

TEST(Families, AreKnownByTheirTemplates) {
  const std::pair<const char*, const char*> known[] = {{"Qwen-Qwen2.5-7B-Instruct", "hermes"},
                                                       {"Qwen-QwQ-32B", "hermes"},
                                                       {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "hermes"},
                                                       {"deepseek-ai-DeepSeek-V3.1", "deepseek-v3.1"},
                                                       {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek"},
                                                       {"openai-gpt-oss-120b", "harmony"},
                                                       {"mistralai-Mistral-Nemo-Instruct-2407", "mistral"},
                                                       {"Mistral-Small-3.2-24B-Instruct-2506", "mistral-args"},
                                                       {"meta-llama-Llama-3.1-8B-Instruct", "llama"},
                                                       {"meta-llama-Llama-3.3-70B-Instruct", "llama"},
                                                       {"CohereForAI-c4ai-command-r-plus-tool_use", "command-r"},
                                                       {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", "command-r7b"},
                                                       {"meetkai-functionary-medium-v3.2", "functionary"},
                                                       {"gemma-it", "gemma"},
                                                       {"google-gemma-4-31B-it", "gemma-4"},
                                                       {"Kimi-K2-Instruct", "kimi"},
                                                       {"Kimi-K2-Thinking", "kimi"},
                                                       {"LFM2-8B-A1B", "lfm2"},
                                                       {"GLM-4.6", "glm"},
                                                       {"GLM-4.7-Flash", "glm"},
                                                       {"GLM-5.2", "glm"},
                                                       {"deepseek-ai-DeepSeek-V3.2", "deepseek-v3.2"},
                                                       {"deepseek-ai-DeepSeek-V4", "deepseek-v3.2"},
                                                       {"ByteDance-Seed-OSS", "seed"},
                                                       {"ibm-granite-granite-3.3-2B-Instruct", "phi-4-mini"},
                                                       {"Qwen3-Coder", "hermes"},
                                                       {"llama-2-chat", "plain"}};
  const std::string shared = test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "needs the templates beside the checkout";
  for (const auto& [name, wanted] : known) {
    const std::string text = test::read_text(shared + "/real/templates/" + name + ".jinja");
    ASSERT_FALSE(text.empty()) << name;
    EXPECT_EQ(name_of(family_of(text, nullptr)), wanted) << name;
  }
}

}  // namespace
}  // namespace madang
