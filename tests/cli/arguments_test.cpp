#include "cli/arguments.h"

#include <cmath>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "support.h"

namespace madang {
namespace {

const std::vector<Flag> flags = {{"--number", "-n", "N", Text{}},
                                 {"--loud", "", "", Text{}},
                                 {"--word", "", "red|green", Text{}},
                                 {"--stop", "", "TEXT", Text{}, true}};

Arguments parse(std::vector<std::string> words, std::string_view operands = "[A] ...") {
  return Arguments(words, flags, operands);
}

Error fault_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& fault) {
    return fault;
  }
  ADD_FAILURE() << "nothing was refused";
  return Error(Kind::internal, say("nothing was refused"));
}

TEST(Arguments, AreTakenApart) {
  const auto a = parse({"one", "-n", "-5", "--stop=a=b", "--stop", "--loud", "--word", "red", "--", "--two"});
  EXPECT_EQ(a.operands(), (std::vector<std::string>{"one", "--two"}));
  EXPECT_EQ(a.integer("--number", -9, 9), -5);
  EXPECT_EQ(a.texts("--stop"), (std::vector<std::string>{"a=b", "--loud"}));
  EXPECT_FALSE(a.has("--loud"));
  EXPECT_EQ(a.choice("--word"), "red");
  EXPECT_EQ(a.real("--missing", 0, 1), std::nullopt);
}

TEST(Arguments, FaultsNameTheNearest) {
  EXPECT_NE(fault_of([] { parse({"--nmber", "1"}); }).render(Language::english).find("--number"), std::string::npos);
  EXPECT_NE(fault_of([] { parse({"--word", "gren"}).choice("--word"); }).render(Language::english).find("green"),
            std::string::npos);
  for (const std::vector<std::string>& bad :
       std::vector<std::vector<std::string>>{{"-n"}, {"--loud=1"}, {"-n", "1", "-n", "2"}, {"--", "a", "b"}})
    EXPECT_EQ(fault_of([&] { parse(bad, "[A]"); }).kind(), Kind::usage);
  EXPECT_EQ(fault_of([] { parse({}, "A"); }).kind(), Kind::usage);
}

TEST(Arguments, NumbersKeepTheirBounds) {
  for (const char* bad : {"", "1x", "10", "-1", "99999999999999999999", "0x1", " 1"})
    EXPECT_EQ(fault_of([&] { parse({"-n", bad}).integer("--number", 0, 9); }).kind(), Kind::usage) << bad;
  for (const char* bad : {"nan", "inf", "1e9", "1,5"})
    EXPECT_EQ(fault_of([&] { parse({"-n", bad}).real("--number", 0, 1); }).kind(), Kind::usage) << bad;
}

TEST(Arguments, Ids) {
  EXPECT_EQ(parse_ids(" [1, 2\n3]\t", "x"), (std::vector<int32_t>{1, 2, 3}));
  EXPECT_TRUE(parse_ids("", "x").empty());
  for (const char* bad : {"1.5", "a", "2147483648", "1;2"})
    EXPECT_EQ(fault_of([&] { parse_ids(bad, "x"); }).kind(), Kind::usage) << bad;
}

TEST(Terminal, WidthsAndCharacters) {
  EXPECT_EQ(display_width("한글ab"), 6);
  EXPECT_EQ(display_width("\u1112\u1161\u11AB"), 2);  // one syllable in three parts
  EXPECT_EQ(display_width("e\u0301"), 1);
  const std::string text = "a한\u1112\u1161\u11AB\U0001F468\u200D\U0001F469b";
  std::vector<size_t> ends;
  for (size_t at = 0; at < text.size();) ends.push_back(at = next_character(text, at));
  EXPECT_EQ(ends.size(), 5u);
  std::vector<size_t> back;
  for (size_t at = text.size(); at > 0; at = previous_character(text, at)) back.insert(back.begin(), at);
  EXPECT_EQ(ends, back);
}

// Every example in the help must be taken by the parser it stands for.
TEST(Commands, ExamplesAreTrue) {
  for (const Command& c : commands()) {
    const auto all = joined(c.flags, universal_flags());
    for (const Example& e : c.examples) {
      const std::string start = "madang " + std::string(c.name);
      size_t at = e.line.find(start);
      if (at == std::string_view::npos) continue;
      std::vector<std::string> words;
      std::string word;
      bool quoted = false;
      for (char ch : e.line.substr(at + start.size())) {
        if (ch == '"')
          quoted = !quoted;
        else if (!quoted && (ch == '|' || ch == '<' || ch == '>' || ch == ')'))
          break;
        else if (!quoted && ch == ' ') {
          if (!word.empty()) words.push_back(std::exchange(word, ""));
        } else
          word += ch;
      }
      if (!word.empty()) words.push_back(word);
      EXPECT_NO_THROW(Arguments(words, all, c.operands)) << e.line;
    }
  }
}

}  // namespace
}  // namespace madang
