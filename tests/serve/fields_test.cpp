// Problems in the words of OpenAI's and Anthropic's clients, and the fields of requests.
#include "serve/fields.h"

#include "support.h"

namespace madang {
namespace {

Problem problem_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Problem& problem) {
    return problem;
  }
  ADD_FAILURE() << "nothing was wrong";
  return Problem(say("{}", "nothing"));
}

TEST(Problem, SpeaksBothDialects) {
  const Problem problem = Problem(say("no '{}'", "x"), "messages[2].content", "missing_required_parameter");
  EXPECT_EQ(problem.openai(), Json({{"error",
                                     {{"message", "no 'x'"},
                                      {"type", "invalid_request_error"},
                                      {"param", "messages[2].content"},
                                      {"code", "missing_required_parameter"}}}}));
  EXPECT_EQ(problem.anthropic("req_1"),
            Json({{"type", "error"},
                  {"error", {{"type", "invalid_request_error"}, {"message", "messages[2].content: no 'x'"}}},
                  {"request_id", "req_1"}}));
  Problem busy(say("{}", "later"));
  busy.status(429).retry_after(1.5);
  EXPECT_EQ(busy.openai()["error"]["type"], "rate_limit_error");
  EXPECT_TRUE(busy.openai()["error"]["param"].is_null());
  EXPECT_EQ(busy.anthropic("")["error"]["type"], "rate_limit_error");
  EXPECT_EQ(*busy.retry_after(), 1.5);
}

TEST(Problem, KeepsAnErrorsFactsButNotItsFile) {
  const Error error = Error(Kind::limit, say("{} is outside its range", "n"))
                          .at("/secret/model.gguf")
                          .expected("1 to 128")
                          .found("900");
  const Problem problem(error, "n");
  EXPECT_EQ(problem.status(), 400);
  EXPECT_EQ(problem.message(), "n is outside its range (expected: 1 to 128; found: 900)");
  EXPECT_EQ(Problem(Error(Kind::missing, say("no"))).status(), 404);
  EXPECT_EQ(Problem(Error(Kind::io, say("no"))).status(), 500);
  EXPECT_EQ(Problem(Error(Kind::unsupported, say("no"))).code(), "unsupported");
}

TEST(Fields, TakesWhatFits) {
  const Json body = {
      {"s", "한글"},        {"i", 5},     {"f", 5.0},           {"d", 0.5},    {"b", true}, {"o", Json::object()},
      {"a", Json::array()}, {"c", "low"}, {"nothing", nullptr}, {"user", "me"}};
  Fields f(body, "");
  EXPECT_EQ(f.text("s"), "한글");
  EXPECT_EQ(f.integer("i", 0, 5), 5);
  EXPECT_EQ(f.integer("f", 0, 5), 5);
  EXPECT_EQ(f.number("d", 0, 1), 0.5);
  EXPECT_EQ(f.number("i", 0, 10), 5);
  EXPECT_EQ(f.boolean("b"), true);
  EXPECT_NE(f.object("o"), nullptr);
  EXPECT_NE(f.array("a"), nullptr);
  EXPECT_EQ(f.choice("c", {"low", "high"}), "low");
  EXPECT_FALSE(f.has("nothing"));
  EXPECT_FALSE(f.text("nothing"));
  f.accept({"user"});
  f.refuse("absent", say("no"));
  f.finish();
}

struct Case {
  Json body;
  std::function<void(Fields&)> read;
  std::string param, code, message;
};

TEST(Fields, SaysWhatIsWrong) {
  const std::vector<Case> cases = {
      {{{"n", "3"}},
       [](Fields& f) { f.integer("n", 1, 9); },
       "n",
       "invalid_type",
       "Invalid type for 'n': expected an integer, but got a string instead."},
      {{{"n", 1.5}},
       [](Fields& f) { f.integer("n", 1, 9); },
       "n",
       "invalid_type",
       "Invalid type for 'n': expected an integer, but got a decimal number instead."},
      {{{"n", 0}},
       [](Fields& f) { f.integer("n", 1, 9); },
       "n",
       "integer_below_min_value",
       "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead."},
      {{{"n", 18446744073709551615u}}, [](Fields& f) { f.integer("n", 1, 9); }, "n", "integer_above_max_value", ""},
      {{{"n", 1e300}}, [](Fields& f) { f.integer("n", 1, 9); }, "n", "invalid_type", ""},
      {{{"t", 2.5}},
       [](Fields& f) { f.number("t", 0, 2); },
       "t",
       "decimal_above_max_value",
       "Invalid 't': decimal above maximum value. Expected a value <= 2, but got 2.5 instead."},
      {{{"t", true}}, [](Fields& f) { f.number("t", 0, 2); }, "t", "invalid_type", ""},
      {{{"c", "x"}},
       [](Fields& f) { f.choice("c", {"low", "high"}); },
       "c",
       "invalid_value",
       "Invalid value: 'x'. Supported values are: 'low', 'high'."},
      {{{"model", ""}},
       [](Fields& f) { f.name("model"); },
       "model",
       "invalid_value",
       "'model' must be a text that is not empty"},
      {Json::object(), [](Fields& f) { f.name("model"); }, "model", "missing_required_parameter",
       "Missing required parameter: 'model'."},
      {{{"max_token", 1}},
       [](Fields& f) { f.accept({"max_tokens", "model"}), f.finish(); },
       "max_token",
       "unknown_parameter",
       "Unknown parameter: 'max_token'. Did you mean 'max_tokens'?"},
      {{{"grammar", 1}},
       [](Fields& f) { f.accept({"max_tokens", "n"}), f.finish(); },
       "grammar",
       "unknown_parameter",
       "Unknown parameter: 'grammar'."},
      {{{"audio", 1}},
       [](Fields& f) { f.refuse("audio", say("not built yet")); },
       "audio",
       "unsupported",
       "not built yet"},
  };
  for (const Case& c : cases) {
    const Problem problem = problem_of([&] {
      Fields f(c.body, "");
      c.read(f);
    });
    EXPECT_EQ(problem.param(), c.param) << c.body;
    EXPECT_EQ(problem.code(), c.code) << c.body;
    if (!c.message.empty()) {
      EXPECT_EQ(problem.message(), c.message);
    }
  }
}

TEST(Fields, NamesTheWholePath) {
  const Json tool = {{"name", 5}};
  EXPECT_EQ(problem_of([&] { Fields(tool, "tools[0].function").text("name"); }).param(), "tools[0].function.name");
  EXPECT_EQ(problem_of([] { Fields(Json("x"), "tools[1]"); }).param(), "tools[1]");
  EXPECT_EQ(problem_of([] { Fields(Json::array(), ""); }).message(),
            "The request body must be a JSON object, but it is an array.");
}

TEST(Fields, LongNamesAreCutBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 100000; ++i) name += "가";
  const Json body = {{name, 1}};
  const Problem problem = problem_of([&] { Fields(body, "").finish(); });
  EXPECT_LT(problem.message().size(), 200u);
  EXPECT_NO_THROW((void)problem.openai().dump());
}

}  // namespace
}  // namespace madang
