#include "chat/reasoning.h"

#include <random>

#include "support.h"

namespace madang {
namespace {

AnswerParts split(ReasoningSplitter splitter, const std::vector<std::string>& pieces) {
  AnswerParts all;
  auto take = [&](const AnswerParts& parts) { all.reasoning += parts.reasoning, all.text += parts.text; };
  for (const std::string& piece : pieces) take(splitter.push(piece));
  take(splitter.finish());
  return all;
}

struct Case {
  const char *prompt, *answer, *reasoning, *text;
};

const Case cases[] = {
    {"", "plain answer", "", "plain answer"},
    {"", "<think>why</think>\n\nbecause", "why", "because"},
    {"", "\n<think>\nwhy\n</think>because", "\nwhy\n", "because"},
    {"...assistant\n<think>\n", "why</think> because", "why", "because"},
    {"", "<think>never closed </thin", "never closed </thin", ""},
    {"", "write <think> for </think>", "", "write <think> for </think>"},
    {"", "[THINK]하나[/THINK]둘", "하나", "둘"},
    {"", "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b", "a", "b"},
    {"", "<thin", "", "<thin"},
    {"", "<thinly sliced>", "", "<thinly sliced>"},
    {"", "<think></think>x<think>y</think>", "", "x<think>y</think>"},
    {"", "<think>a</think></think>", "a", "</think>"},
    {"", "  ", "", "  "},
    {"", "", "", ""},
};

TEST(Reasoning, IsToldApart) {
  for (const Case& c : cases)
    EXPECT_EQ(split(ReasoningSplitter(c.prompt), {c.answer}), (AnswerParts{c.reasoning, c.text})) << c.answer;
}

TEST(Reasoning, HoweverTheStreamIsCut) {
  std::mt19937_64 random(test::seed());
  for (const Case& c : cases) {
    const std::string answer = c.answer;
    for (int round = 0; round < 200; ++round) {
      std::vector<std::string> pieces;
      for (size_t at = 0; at < answer.size();) {
        const size_t n = 1 + random() % 4;
        pieces.push_back(answer.substr(at, n));
        at += n;
      }
      ASSERT_EQ(split(ReasoningSplitter(c.prompt), pieces), (AnswerParts{c.reasoning, c.text})) << c.answer;
    }
  }
}

TEST(Reasoning, ShowsTextAtOnce) {
  ReasoningSplitter splitter;
  EXPECT_EQ(splitter.push("안").text, "안");
  EXPECT_EQ(splitter.push("<think>").text, "<think>");
}

}  // namespace
}  // namespace madang
