// What comes in for a batch: the reader of forms, and the reader of lines.
#include <gtest/gtest.h>

#include "base/random.h"
#include "serve/api/batch_lines.h"
#include "serve/api/multipart.h"
#include "serve/forms.h"
#include "serve/problem.h"
#include "support.h"

namespace madang {
namespace {

using test::form;
using test::form_type;
using test::part;

TEST(Multipart, KeepsEveryByte) {
  const std::string bytes = std::string("\r\n--a \0--\r\n\xff", 12) + "--a b";
  const std::string body = form(part("name=\"purpose\"", "batch") +
                                part("name=file; filename=\"x %22\\\"한.jsonl\"", bytes) + part("name=\"empty\"", ""));
  const auto parts = read_multipart(form_type, body);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts.at("purpose").bytes, "batch");
  EXPECT_FALSE(parts.at("purpose").filename);
  EXPECT_EQ(parts.at("file").bytes, bytes);
  EXPECT_EQ(parts.at("file").filename, "x \"\"한.jsonl");
  EXPECT_EQ(parts.at("empty").bytes, "");
}

TEST(Multipart, RefusesWhatIsBroken) {
  const std::string good = form(part("name=\"a\"", "1") + part("name=\"b\"", "2"));
  EXPECT_EQ(read_multipart(form_type, good).size(), 2u);
  for (size_t end = 0; end < good.size() - 4; ++end)  // "--" and the last line's end may be missing: nothing is lost
    EXPECT_THROW(read_multipart(form_type, good.substr(0, end)), Problem) << end;
  EXPECT_THROW(read_multipart("application/json", good), Problem);
  EXPECT_THROW(read_multipart("multipart/form-data", good), Problem);
  EXPECT_THROW(read_multipart("multipart/form-data; boundary=other", good), Problem);
  EXPECT_THROW(read_multipart(form_type, form(part("name=a", "1") + part("name=a", "2"))), Problem);
  EXPECT_THROW(read_multipart(form_type, form(part("filename=a", "1"))), Problem);
  std::string many;
  for (int i = 0; i < 40; ++i) many += part("name=p" + std::to_string(i), "x");
  EXPECT_THROW(read_multipart(form_type, form(many)), Problem);
}

TEST(Multipart, GarbageIsAProblemAndNothingElse) {
  Random random(test::seed());
  const std::string good = form(part("name=\"a\"; filename=\"f\"", "1") + part("name=\"b\"", "2"));
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (uint64_t n = 1 + random.below(4); n > 0; --n)
      bad[random.below(bad.size())] = "\r\n-\";= ab:"[random.below(10)];
    try {
      read_multipart(form_type, bad);
    } catch (const Problem&) {
    }
  }
}

TEST(BatchLines, SaysWhichLinesAreWrong) {
  const std::string good = R"({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"x": 1}})";
  const auto fine = read_batch_input(good + "\n\r\n", "/v1/responses");
  ASSERT_EQ(fine.lines.size(), 1u);
  EXPECT_EQ(fine.lines[0].body, "{\"x\":1}");
  const auto bad = read_batch_input(good + "\n{\n" + good + "\n" + R"({"custom_id": "b", "url": "/v1/files"})" + "\n" +
                                        R"({"custom_id": "c", "method": "POST", "url": "/v1/responses",
                                            "body": {"stream": true}})",
                                    "/v1/responses");
  std::vector<int> lines;
  for (const Json& fault : bad.faults) lines.push_back(fault["line"]);
  EXPECT_EQ(lines, (std::vector<int>{2, 3, 4, 5, 6}));  // the last one was cut by a line's end
  EXPECT_EQ(read_batch_input("\n\n", "/v1/responses").faults.size(), 1u);
}

}  // namespace
}  // namespace madang
