// POST /v1/embeddings over a real room: shapes, both encodings, dimensions, and what is refused with which field.
#include <cmath>
#include <cstring>

#include "engine/score.h"
#include "room_fixture.h"
#include "serve/api/routes.h"
#include "serve/limits.h"
#include "serve/log.h"
#include "serve/metrics.h"
#include "serve/problem.h"
#include "serve/store/store.h"
#include "text/base64.h"

namespace madang {
namespace {

class Slip final : public Exchange {
 public:
  explicit Slip(std::string text) { request_.body = std::move(text); }
  const HttpRequest& request() const override { return request_; }
  void header(std::string, std::string) override {}
  Task<void> reply(int code, std::string_view, std::string text) override {
    status = code, body = std::move(text);
    co_return;
  }
  Task<void> begin(int, std::string_view) override { co_return; }
  Task<void> write(std::string) override { co_return; }
  Task<void> end() override { co_return; }
  bool begun() const override { return status != 0; }
  bool gone() const override { return false; }
  void on_gone(std::function<void()>) override {}
  void note(std::string_view, std::string) override {}
  int status = 0;
  std::string body;

 private:
  HttpRequest request_;
};

class Embeddings : public testing::Test {
 protected:
  Json ask(const Json& body) {
    Slip slip(body.dump());
    const auto rows = embedding_routes();
    room_.wait(rows.at(0).handle(services_, slip));
    EXPECT_EQ(slip.status, 200);
    return Json::parse(slip.body);
  }
  /// The field at fault.
  std::string refused(const Json& body) {
    try {
      ask(body);
    } catch (const Problem& problem) {
      EXPECT_EQ(problem.status(), 400) << problem.message();
      return problem.param();
    }
    return "(taken)";
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Store> store_ = open_store(folder_ / "store.db");
  Metrics metrics_;
  Log log_;
  Limits limits_;
  test::Room room_{{"qwen2-q8_0"}};  // after what its helpers write to
  Services services_{room_.models(), *store_, metrics_, log_, limits_, room_.helpers()};
};

std::vector<float> floats(const Json& array) { return array.get<std::vector<float>>(); }

double squares(const std::vector<float>& v) {
  double sum = 0;
  for (float x : v) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

TEST_F(Embeddings, VectorsOfLengthOneInBothEncodings) {
  const Json ids = Json::parse("[[5,6,7],[8,9]]");
  const Json plain = ask({{"model", "qwen2-q8_0"}, {"input", ids}});
  ASSERT_EQ(plain["data"].size(), 2u);
  EXPECT_EQ(plain["object"], "list");
  EXPECT_EQ(plain["data"][1]["index"], 1);
  EXPECT_EQ(plain["usage"]["prompt_tokens"], 5);
  EXPECT_EQ(plain["usage"]["total_tokens"], 5);
  const std::vector<float> first = floats(plain["data"][0]["embedding"]);
  EXPECT_NEAR(squares(first), 1, 1e-6);
  EXPECT_NE(first, floats(plain["data"][1]["embedding"]));

  const Json coded = ask({{"model", "qwen2-q8_0"}, {"input", {5, 6, 7}}, {"encoding_format", "base64"}});
  const std::string bytes = decode_base64(coded["data"][0]["embedding"].get<std::string>(), "");
  std::vector<float> decoded(bytes.size() / 4);
  std::memcpy(decoded.data(), bytes.data(), bytes.size());
  EXPECT_EQ(decoded, first);

  const Json shorter = ask({{"model", "qwen2-q8_0"}, {"input", {5, 6, 7}}, {"dimensions", 8}});
  const std::vector<float> cut = floats(shorter["data"][0]["embedding"]);
  ASSERT_EQ(cut.size(), 8u);
  EXPECT_NEAR(squares(cut), 1, 1e-6);
  EXPECT_NEAR(cut[0] / cut[1], first[0] / first[1], 1e-4);
}

TEST_F(Embeddings, TheLastTokensHiddenStateIsTheVector) {
  auto model = room_.wait(room_.models().use(""));
  Workplace work({.threads = 1});
  const std::vector<StateSpec> specs = model->checkpoint->model().states();
  SequenceState state(specs, KvType::f32, 512);
  Step step;
  step.add(std::vector<int32_t>{5, 6, 7}, &state, Step::Want::last);
  const Tensor hidden = work.hidden(model->checkpoint->model(), step);
  std::vector<float> want(hidden.row(0), hidden.row(1));
  const double length = std::sqrt(squares(want));
  for (float& x : want) x = static_cast<float>(static_cast<double>(x) / length);
  EXPECT_EQ(floats(ask({{"model", "qwen2-q8_0"}, {"input", {5, 6, 7}}})["data"][0]["embedding"]), want);
}

TEST_F(Embeddings, RefusalsNameTheField) {
  const std::string m = "qwen2-q8_0";
  EXPECT_EQ(refused({{"input", "x"}}), "model");
  EXPECT_EQ(refused({{"model", m}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", ""}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", Json::array()}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", 5}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", {"a", 5}}}), "input[1]");
  EXPECT_EQ(refused({{"model", m}, {"input", {"a", ""}}}), "input[1]");
  EXPECT_EQ(refused({{"model", m}, {"input", {1, 1 << 30}}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", {1, -1}}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", std::vector<int>(513, 7)}}), "input");
  EXPECT_EQ(refused({{"model", m}, {"input", {1}}, {"dimensions", 100000}}), "dimensions");
  EXPECT_EQ(refused({{"model", m}, {"input", {1}}, {"encoding_format", "hex"}}), "encoding_format");
  EXPECT_EQ(refused({{"model", m}, {"input", {1}}, {"dimension", 3}}), "dimension");
}

}  // namespace
}  // namespace madang
