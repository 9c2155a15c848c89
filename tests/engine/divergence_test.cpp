// Divergence against plain softmaxes over all logits, and against what must hold: a model does not diverge from itself.
#include "engine/divergence.h"

#include <fstream>
#include <random>

#include "base/error.h"
#include "models.h"
#include "store/gguf.h"

namespace madang {
namespace {

std::vector<int32_t> some_ids(const Model& model, size_t n) {
  std::mt19937_64 random(test::seed());
  std::vector<int32_t> ids(n);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint64_t>(model.vocabulary()));
  return ids;
}

std::shared_ptr<const Checkpoint> tiny(const std::string& name) {
  return Checkpoint::open(test::data_folder() + "/gguf/" + name + ".gguf");
}

TEST(Divergence, OfAModelFromItselfIsZero) {
  const auto checkpoint = tiny("llama-q8_0");
  const Model& model = checkpoint->model();
  const auto ids = some_ids(model, 100);
  const Divergence d = divergence(model, model, ids, {.model = {.window = 40}});
  EXPECT_EQ(d.kl.value, 0);
  EXPECT_EQ(d.kl_most, 0);
  EXPECT_EQ(d.same_top.value, 1);
  EXPECT_EQ(d.log_ratio.value, 0);
  EXPECT_EQ(d.scored, 2 * 39);
  EXPECT_EQ(d.windows, 2);
  EXPECT_DOUBLE_EQ(d.perplexity, perplexity(model, ids, {.window = 40}).value);
}

// One scale of one block, in either kind of computing.
TEST(Divergence, AWeightThatIsNoNumberIsTold) {
  const std::string path = test::data_folder() + "/gguf/llama-wide-q4_k_m.gguf";
  std::string file = test::read_text(path);
  const Gguf gguf(path);
  const auto weight = gguf.find("blk.0.ffn_gate.weight")->bytes.first(144);  // a block of Q4_K begins with its d
  const auto at = std::ranges::search(file, weight, {}, [](char c) { return static_cast<uint8_t>(c); });
  ASSERT_FALSE(at.empty());
  at[0] = 0x00, at[1] = 0x7E;
  const test::TemporaryFolder folder;
  const std::string damaged = folder / "damaged.gguf";
  std::ofstream(damaged, std::ios::binary) << file;
  const auto checkpoint = Checkpoint::open(damaged);
  const auto ids = some_ids(checkpoint->model(), 20);
  for (Compute compute : {Compute::exact, Compute::fast}) {
    try {
      perplexity(checkpoint->model(), ids, {.work = {.compute = compute}});
      ADD_FAILURE() << "not told";
    } catch (const Error& fault) {
      EXPECT_EQ(fault.kind(), Kind::format) << fault.what();
    }
    Engine engine(checkpoint->model(), nullptr, 0, {.work = {.compute = compute}});
    engine.submit({.prompt = ids, .max_tokens = 2});
    Finish finish = Finish::none;
    while (engine.busy())
      for (const Event& event : engine.step()) {
        finish = event.finish;
        ASSERT_TRUE(event.fault);
        EXPECT_EQ(event.fault->kind(), Kind::format);
      }
    EXPECT_EQ(finish, Finish::failed);
  }
}

TEST(Divergence, EqualsPlainSoftmaxes) {
  const auto one = tiny("llama-q8_0"), two = tiny("qwen2-q8_0");
  ASSERT_EQ(one->model().vocabulary(), two->model().vocabulary());
  const auto ids = some_ids(one->model(), 50);
  const Divergence d = divergence(one->model(), two->model(), ids, {.model = {.window = 50}});
  const Logits a = logits_of(one->model(), ids), b = logits_of(two->model(), ids);
  auto softmax = [](const Logits& l, int64_t row) {
    std::vector<double> p(static_cast<size_t>(l.vocabulary));
    double sum = 0;
    for (size_t i = 0; i < p.size(); ++i)
      sum += p[i] = std::exp(static_cast<double>(l.values[static_cast<size_t>(row * l.vocabulary) + i]));
    for (double& v : p) v /= sum;
    return p;
  };
  double kl = 0, ratio = 0;
  for (int64_t row = 0; row < 49; ++row) {
    const auto p = softmax(a, row), q = softmax(b, row);  // q: the base
    for (size_t i = 0; i < p.size(); ++i) kl += q[i] * std::log(q[i] / p[i]);
    const auto target = static_cast<size_t>(ids[static_cast<size_t>(row) + 1]);
    ratio += std::log(q[target] / p[target]);
  }
  EXPECT_NEAR(d.kl.value, kl / 49, 1e-6 * kl / 49);
  EXPECT_NEAR(d.log_ratio.value, ratio / 49, 1e-6);
  EXPECT_GT(d.kl.value, 0.01);
  EXPECT_GE(d.kl_most, d.kl_99);
  EXPECT_GE(d.kl_99, d.kl_median);
}

TEST(Divergence, ACoarserCacheCostsSomething) {
  const auto checkpoint = tiny("llama-q8_0");
  const Model& model = checkpoint->model();
  const auto ids = some_ids(model, 128);
  double before = 0;
  for (KvType kv : {KvType::f16, KvType::q8}) {
    const Divergence d = divergence(model, model, ids, {.model = {.kv = kv, .window = 64}});
    EXPECT_GT(d.kl.value, before);
    before = d.kl.value;
  }
  EXPECT_LT(before, 0.01);
}

TEST(Divergence, RefusesOtherVocabularies) {
  const auto one = tiny("llama-q8_0");
  int refused = 0;
  for (const std::string& path : test::tiny_models()) {
    const auto other = Checkpoint::open(path);
    if (other->model().vocabulary() == one->model().vocabulary()) continue;
    EXPECT_THROW(divergence(one->model(), other->model(), some_ids(one->model(), 10)), Error) << path;
    ++refused;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace madang
