// Chat templates: the same text as Jinja2 to the byte, a refusal where Jinja2 refuses, and bounds that hold.
#include "text/chat_template.h"

#include <chrono>
#include <random>
#include <thread>

#include "base/error.h"
#include "support.h"

namespace madang::test {
namespace {

RenderOptions at_the_goldens_time() {
  RenderOptions options;
  options.now = parse_local_time("2026-03-09T14:05:06");
  return options;
}

std::string render(const std::string& source, const Json& variables = Json::object(),
                   const RenderOptions& options = at_the_goldens_time()) {
  return ChatTemplate(source, "test").render(variables, options);
}

/// The error that a template ends in; a failure where it ends well.
Error refusal(const std::string& source, const Json& variables = Json::object(), const RenderOptions& options = {}) {
  try {
    std::string text = render(source, variables, options);
    ADD_FAILURE() << source.substr(0, 200) << " answered " << text.substr(0, 200);
  } catch (const Error& fault) {
    return fault;
  }
  return Error(Kind::internal, say("no error"));
}

// One line of a golden file. A message of the template's own must be kept to the letter.
void expect_as_jinja(const Json& line, const std::string& source, const std::string& place) {
  Json input = line.value("input", Json::object());
  RenderOptions options = at_the_goldens_time();
  if (line.contains("now")) options.now = parse_local_time(line["now"].get<std::string>());
  try {
    std::string text = render(source, input, options);
    if (line.contains("text"))
      EXPECT_EQ(text, line["text"].get<std::string>()) << place << ": " << source.substr(0, 300);
    else
      ADD_FAILURE() << place << ": " << source.substr(0, 300) << "\nanswers " << text
                    << "\nJinja2 refuses: " << line["error"];
  } catch (const Error& fault) {
    ASSERT_TRUE(line.contains("error")) << place << ": " << source.substr(0, 300) << "\n" << fault.what();
    if (line["type"] != "raised") return;
    EXPECT_EQ(fault.kind(), Kind::refused) << place;
    EXPECT_EQ(fault.text().in(Language::english), line["error"].get<std::string>()) << place;
    EXPECT_EQ(fault.text().in(Language::korean), line["error"].get<std::string>()) << place;
  }
}

int judge_file(const std::string& path, const std::string& templates = "") {
  std::istringstream lines(read_text(path));
  int number = 0, judged = 0;
  for (std::string text; std::getline(lines, text);) {
    Json line = parse_json(text, path);
    ++number;
    if (!line.contains("template")) continue;
    std::string source = line["template"].get<std::string>();
    if (!templates.empty()) source = read_text(templates + "/" + source);
    expect_as_jinja(line, source, path + ":" + std::to_string(number));
    ++judged;
  }
  return judged;
}

TEST(ChatTemplate, AnswersAsJinja2) { EXPECT_GT(judge_file(data_folder() + "/jinja_cases.jsonl"), 450); }

TEST(ChatTemplate, AnswersTheGoldens) {
  if (shared_folder().empty()) GTEST_SKIP() << "no shared folder";
  std::string goldens = shared_folder() + "/golden/templates";
  EXPECT_GT(judge_file(goldens + "/jinja.jsonl"), 200);
  EXPECT_GT(judge_file(goldens + "/cases.jsonl", shared_folder() + "/real/templates"), 800);
}

TEST(ChatTemplate, ReadsItsVariables) {
  Json v = Json::parse(R"({"m": [{"role": "user", "content": "안녕"}], "n": 9007199254740993, "u": 18446744073709551615,
                           "f": 1e16, "z": -0.0, "t": true, "none": null, "range": 3})");
  EXPECT_EQ(render("{{ m }} {{ n }} {{ u }} {{ f }} {{ z }} {{ t }}", v),
            "[{'role': 'user', 'content': '안녕'}] 9007199254740993 18446744073709551615 1e+16 -0.0 True");
  EXPECT_EQ(render("{{ range }}", v), "3");  // a variable hides the function
  EXPECT_EQ(render("{% set x = 1 %}{% for i in [1] %}{{ y }}{% endfor %}{% set y = 2 %}", Json{{"y", 5}}), "");
  EXPECT_EQ(refusal("x", Json::array()).kind(), Kind::usage);
}

TEST(ChatTemplate, KeepsTheTemplatesOwnWords) {
  Error fault = refusal("\n{{ raise_exception('역할이 {} ' ~ 5 ~ '\\n둘째 줄') }}");
  EXPECT_EQ(fault.kind(), Kind::refused);
  EXPECT_EQ(fault.text().in(Language::korean), "역할이 {} 5\n둘째 줄");
  EXPECT_EQ(fault.place(), "test, line 2");
}

TEST(ChatTemplate, TellsTheLine) {
  EXPECT_EQ(refusal("a\nb\n{% if %}").place(), "test, line 3");
  EXPECT_EQ(refusal("a\n{{ 1 +\n x.y }}").place(), "test, line 3");
  EXPECT_EQ(refusal("a\n\n{{ 'b' | nope }}").place(), "test, line 3");
  EXPECT_EQ(refusal("{{ x.y }}").kind(), Kind::mismatch);
  EXPECT_EQ(refusal("{% include 'x' %}").kind(), Kind::unsupported);
  EXPECT_EQ(refusal("{{ 1 + }}").kind(), Kind::format);
  EXPECT_EQ(refusal("{{ '\xff' }}").kind(), Kind::format);
}

std::string repeated(const std::string& part, int times) {
  std::string all;
  while (times--) all += part;
  return all;
}

// Whatever a template tries, it ends soon and in an error. Each of these hangs, grows or overflows without a bound.
TEST(ChatTemplate, BoundsHold) {
  const std::string grow = "{% set ns = namespace(v='ab', l=[1], i=0) %}{% for i in range(1000) %}";
  const std::string templates[] = {
      "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% "
      "endfor %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{% for i in range(9) %}{{ f() }}{% endfor %}{% endmacro %}{{ f() }}",
      "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      grow + "{% set ns.v = ns.v ~ ns.v %}{% endfor %}",
      grow + "{% set ns.v = ns.v + ns.v %}{% endfor %}",
      grow + "{% set ns.v = ns.v * 1000 %}{% endfor %}",
      grow + "{% set ns.v = ns.v.replace('a', ns.v) %}{% endfor %}",
      grow + "{% set ns.v = '%s%s' % (ns.v, ns.v) %}{% endfor %}",
      grow + "{% set ns.v = '{0}{0}'.format(ns.v) %}{% endfor %}",
      grow + "{% set ns.v = [ns.v, ns.v] | join(ns.v) %}{% endfor %}",
      grow + "{% set ns.v %}{{ ns.v }}{{ ns.v }}{% endset %}{% endfor %}",
      grow + "{% set ns.l = ns.l + ns.l %}{% endfor %}",
      grow + "{% set ns.l = ns.l * 1000 %}{% endfor %}",
      grow + "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
      grow + "{% set ns.l = {'a': ns.l} %}{% endfor %}",
      grow + "{% set ns.l = ns.l | map('string') %}{% endfor %}{{ ns.l | list }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l == ns.l "
      "+ [] }}{{ ns.l | tojson }}",
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | "
      "pprint }}",
      "{{ 'a' * 10 ** 12 }}",
      "{{ 'a' * 10 ** 30 }}",
      "{{ [1] * 10 ** 12 }}",
      "{{ 10 ** (10 ** 10) }}",
      "{{ 9 ** (9 ** (9 ** 9)) }}",
      "{{ 10 ** 5000 }}",
      "{% set ns = namespace(v=3) %}{% for i in range(10000) %}{% set ns.v = ns.v * ns.v %}{% endfor %}",
      "{{ range(10 ** 18) | list }}",
      "{{ range(10 ** 30) }}",
      "{{ 'a'.center(10 ** 12) }}",
      "{{ 'a'.zfill(10 ** 12) }}",
      "{{ 'a\\n' | indent(10 ** 12) }}",
      "{{ '%1000000000000d' % 1 }}",
      "{{ '%*d' % (10 ** 12, 1) }}",
      "{{ '{:1000000000000}'.format(1) }}",
      "{{ '{:.1000000000000f}'.format(1.5) }}",
      "{{ [1, [2]] | tojson(indent=10 ** 12) }}",
      "{{ 'a\\tb'.expandtabs(10 ** 12) }}",
      "{{ [1] | batch(10 ** 12, 0) | list }}",
      "{{ [1] | slice(10 ** 12) | list }}",
      "{% set ns = namespace() %}{% set ns.a = ns %}{% for i in range(3) %}{% set ns.a = [ns.a, ns] %}{% endfor %}{{ "
      "ns }}",
      repeated("{{ (", 1) + repeated("(", 100000) + " }}",
      "{{ " + repeated("(", 100000) + "1" + repeated(")", 100000) + " }}",
      "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}",
      "{{ " + repeated("{1:", 100000) + " }}",
      "{{ " + repeated("-", 100000) + "1 }}",
      "{{ " + repeated("not ", 100000) + "1 }}",
      "{{ 1" + repeated(" + 1", 100000) + " }}",
      "{{ 1" + repeated(" if 1 else 1", 100000) + " }}",
      "{{ a" + repeated(".a", 100000) + " }}",
      "{{ a" + repeated("|e", 100000) + " }}",
      "{{ a" + repeated("()", 100000) + " }}",
      repeated("{% if 1 %}", 100000),
      repeated("{% for a in [1] %}", 10000) + repeated("{% endfor %}", 10000),
      "{{ " + repeated("9", 100000) + " }}",
      "{% set f = '" + repeated("{", 1000) + repeated("}", 1000) +
          "' %}{{ f.format(1) }}{{ ('{:' * 50 ~ '}' * 50).format(1) }}",
  };
  for (auto& source : templates) {
    auto start = std::chrono::steady_clock::now();
    refusal(source);
    auto took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(std::chrono::duration<double>(took).count(), 20) << source.substr(0, 200);
  }
}

TEST(ChatTemplate, SearchesInLinearTime) {
  // With a quadratic search each of these is 10^12 comparisons.
  const std::string hay = "{% set a = 'a' * 1000000 %}{% set b = 'a' * 500000 ~ 'b' %}";
  EXPECT_EQ(render(hay + "{{ b in a }}{{ a.find(b) }}{{ a.rfind(b) }}{{ a.count(b) }}{{ a.replace(b, '') == a }}"),
            "False-1-10True");
  EXPECT_EQ(render(hay + "{{ a.split(b) | length }}{{ a.rsplit(b) | length }}{{ a.partition(b)[1] }}"), "11");
}

TEST(ChatTemplate, OptionsBound) {
  RenderOptions few;
  few.steps = 100;
  EXPECT_EQ(refusal("{% for i in range(1000) %}{{ i }}{% endfor %}", {}, few).kind(),
            Kind::usage);  // {} is null: no object
  EXPECT_EQ(refusal("{% for i in range(1000) %}{{ i }}{% endfor %}", Json::object(), few).kind(), Kind::limit);
  RenderOptions small;
  small.output_bytes = 10;
  EXPECT_EQ(render("0123456789", Json::object(), small), "0123456789");
  EXPECT_EQ(refusal("01234567890", Json::object(), small).kind(), Kind::limit);
  RenderOptions shallow;
  shallow.depth = 20;
  EXPECT_EQ(refusal("{% macro f(n) %}{{ f(n - 1) if n }}{% endmacro %}{{ f(20) }}", Json::object(), shallow).kind(),
            Kind::limit);
}

TEST(ChatTemplate, MacrosNestAsDeepAsPythons) {
  EXPECT_EQ(render("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% else %}end{% endif %}{% endmacro %}{{ f(150) }}"),
            "end");
}

TEST(ChatTemplate, DeepVariablesAreRefused) {
  Json deep = 1;
  for (int i = 0; i < 600; ++i) deep = Json::array({deep});
  EXPECT_EQ(refusal("{{ x }}", Json{{"x", deep}}).kind(), Kind::limit);
}

TEST(ChatTemplate, OneTemplateServesManyThreads) {
  ChatTemplate shared("{% macro f(x) %}<{{ x }}>{% endmacro %}{% for i in range(n) %}{{ f(i) }}{% endfor %}", "shared");
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (size_t t = 0; t < texts.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) texts[t] = shared.render(Json{{"n", 50 + t}});
    });
  for (auto& thread : threads) thread.join();
  for (size_t t = 0; t < texts.size(); ++t) EXPECT_EQ(texts[t], shared.render(Json{{"n", 50 + t}}));
}

TEST(ChatTemplate, DamagedTemplatesEndInErrors) {
  std::mt19937_64 random(seed());
  std::vector<std::string> sources;
  std::istringstream lines(read_text(data_folder() + "/jinja_cases.jsonl"));
  for (std::string text; std::getline(lines, text);)
    sources.push_back(parse_json(text, "cases")["template"].get<std::string>());
  ASSERT_FALSE(sources.empty());
  RenderOptions options;
  options.steps = 200'000;
  int answered = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string source = sources[random() % sources.size()];
    auto& other = sources[random() % sources.size()];
    for (uint64_t n = random() % 4; n > 0 && !source.empty(); --n) {
      size_t at = random() % source.size(), from = random() % (other.size() + 1);
      switch (random() % 4) {
        case 0:
          source.erase(at, random() % 4);
          break;
        case 1:
          source[at] = static_cast<char>(random());
          break;
        case 2:
          source.insert(at, other.substr(from, random() % 12));
          break;
        default:
          source.resize(at);
          break;
      }
    }
    try {
      render(source, Json{{"x", Json::array({1, "a"})}}, options);
      ++answered;
    } catch (const Error& fault) {
      EXPECT_NE(fault.kind(), Kind::internal) << source;
      ++refused;
    }
  }
  EXPECT_GT(answered, 100);
  EXPECT_GT(refused, 100);
}

TEST(ChatTemplate, ReadsDates) {
  auto shown = [](std::string_view date) {
    RenderOptions options;
    options.now = parse_local_time(date);
    return render("{{ strftime_now('%d %b %Y %H:%M:%S') }}", Json::object(), options);
  };
  EXPECT_EQ(shown("2026-03-09"), "09 Mar 2026 00:00:00");
  EXPECT_EQ(shown("2026-03-09T14:05:06"), "09 Mar 2026 14:05:06");
  EXPECT_EQ(shown("1999-12-31 23:59"), "31 Dec 1999 23:59:00");
  for (const char* wrong :
       {"", "2026", "2026-13-01", "2026-02-30", "2026-03-09T25:00:00", "2026/03/09", "2026-03-09T14:05:06Z"})
    EXPECT_THROW(parse_local_time(wrong), Error) << wrong;
  EXPECT_EQ(ChatTemplate("{{ strftime_now('%Y') | int > 2000 }}").render(Json::object()), "True");
}

}  // namespace
}  // namespace madang::test
