// Training against PyTorch's numbers: whole models, twenty steps of AdamW through the forward of inference. Losses,
// gradient norms, whole gradients of the first step and every parameter's statistics after the last.
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "store/safetensors.h"
#include "support.h"
#include "train/trainer.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

// Reference data: all of it beside the checkout (which may be of another seed), or the repository's own copies.
std::string golden(const std::string& name) {
  const std::string shared = test::shared_folder() + "/golden/" + name;
  return !test::shared_folder().empty() && fs::exists(shared) ? shared : test::data_folder() + "/" + name;
}

std::vector<int32_t> ids_of(const Source& source, const char* name) {
  const StoredTensor* t = source.find(name);
  std::vector<int32_t> ids(static_cast<size_t>(t->numel()));
  std::memcpy(ids.data(), t->bytes.data(), t->bytes.size());
  return ids;
}

TrainBatch plain_batch(const Source& data) {
  const auto ids = ids_of(data, "input_ids");
  const size_t width = static_cast<size_t>(data.find("input_ids")->shape[1]);
  TrainBatch batch;
  for (size_t at = 0; at < ids.size(); at += width) {
    std::vector<int32_t> row(ids.begin() + static_cast<long>(at), ids.begin() + static_cast<long>(at + width));
    batch.push_back({row, row});
  }
  return batch;
}

TrainBatch masked_batch(const Source& data) {
  const auto ids = ids_of(data, "masked_input_ids"), labels = ids_of(data, "masked_labels"),
             lengths = ids_of(data, "masked_lengths");
  const size_t width = ids.size() / lengths.size();
  TrainBatch batch;
  for (size_t r = 0; r < lengths.size(); ++r) {
    const auto cut = [&](const std::vector<int32_t>& all) {
      const auto begin = all.begin() + static_cast<long>(r * width);
      return std::vector<int32_t>(begin, begin + lengths[r]);
    };
    batch.push_back({cut(ids), cut(labels)});
  }
  return batch;
}

struct Training {
  std::shared_ptr<const Source> source;
  std::unique_ptr<WeightStore> store;
  std::unique_ptr<Model> model;
  std::unique_ptr<Trainer> trainer;

  Training(const std::string& name, int threads) : source(open_source(golden("models/" + name))) {
    const Config config = source->config();
    store = std::make_unique<WeightStore>(source, config, Hold::widened);
    model = build_model(config, store->root());
    store->finish();
    trainer =
        std::make_unique<Trainer>(*model, store->parameters(), TrainOptions{.threads = threads}, pick_kernels(""));
  }
};

double worst_noise(const Json& noise, const char* key) {
  double worst = 0;
  for (const auto& [name, entry] : noise.items()) worst = std::max(worst, entry.value(key, 0.0));
  return worst;
}

void check_steps(Trainer& trainer, const TrainBatch& batch, const Json& steps, double final_loss, const Json& noise) {
  const double loss_rule = std::max(2e-5, 10 * worst_noise(noise, "loss")),
               norm_rule = std::max(1e-4, 10 * worst_noise(noise, "grad_norm"));
  auto near = [](double got, double want, double relative) {
    return std::fabs(got - want) <= std::max(relative * std::fabs(want), 1e-6);
  };
  for (const Json& want : steps) {
    const TrainReport got = trainer.step(batch);
    const bool first = got.step == 0;
    EXPECT_NEAR(got.rate, want["lr"].get<double>(), 1e-12) << "step " << got.step;
    EXPECT_TRUE(near(got.loss, want["loss"], first ? 1e-5 : loss_rule))
        << "loss " << got.loss << " for " << want["loss"] << " at step " << got.step;
    EXPECT_TRUE(near(got.gradient_norm, want["grad_norm"], first ? 5e-5 : norm_rule))
        << "gradient norm " << got.gradient_norm << " for " << want["grad_norm"] << " at step " << got.step;
  }
  EXPECT_TRUE(near(trainer.loss(batch), final_loss, loss_rule))
      << "final loss " << trainer.loss(batch) << " for " << final_loss;
}

void check_first_gradients(Trainer& trainer, const Source& data, const Json& tensors) {
  size_t whole = 0;
  for (const Trained& t : trainer.trained()) {
    double sum = 0;
    for (int64_t i = 0; i < t.gradient.view().numel(); ++i) sum += std::pow(t.gradient.f32()[i], 2);
    ASSERT_TRUE(tensors.contains(t.name)) << t.name;
    const double want = tensors[t.name]["grad0_l2"];
    EXPECT_NEAR(std::sqrt(sum), want, 1e-4 * want) << t.name;
    EXPECT_EQ(t.decays, tensors[t.name]["decay"].get<bool>()) << t.name;
    const StoredTensor* reference = data.find("grad0." + t.name);
    if (!reference) continue;
    ++whole;
    double off = 0, size = 0;
    for (int64_t i = 0; i < t.gradient.view().numel(); ++i) {
      float r;
      std::memcpy(&r, reference->bytes.data() + 4 * i, 4);
      off += std::pow(t.gradient.f32()[i] - r, 2), size += std::pow(r, 2);
    }
    EXPECT_LE(std::sqrt(off), 1e-4 * std::sqrt(size)) << "whole gradient of " << t.name;
  }
  EXPECT_EQ(whole, 2u);
}

void check_parameters(Trainer& trainer, const Json& tensors) {
  EXPECT_EQ(trainer.trained().size(), tensors.size());
  for (const Trained& t : trainer.trained()) {
    const Json& want = tensors[t.name];
    const auto n = static_cast<double>(t.value.view().numel());
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < t.value.view().numel(); ++i)
      sum += t.value.f32()[i], squares += std::pow(t.value.f32()[i], 2);
    const double l2 = want["l2"], rule = std::max(5e-5, 10 * want.value("noise", 0.0)), mean = sum / n;
    EXPECT_NEAR(std::sqrt(squares), l2, rule * l2) << t.name;
    EXPECT_NEAR(mean, want["mean"].get<double>(), rule * l2 / std::sqrt(n)) << t.name;
    EXPECT_NEAR(std::sqrt(std::max(0.0, squares / n - mean * mean)), want["std"].get<double>(),
                rule * l2 / std::sqrt(n))
        << t.name;
  }
}

class FullTraining : public testing::TestWithParam<std::string> {};

TEST_P(FullTraining, FollowsPyTorch) {
  const Json want = read_json(golden("train/full/" + GetParam() + ".json"));
  const auto data = open_safetensors(golden("train/full/" + GetParam() + ".safetensors"));
  Training plain(GetParam(), 2);
  plain.trainer->gradients(plain_batch(*data));
  check_first_gradients(*plain.trainer, *data, want["tensors"]);
  check_steps(*plain.trainer, plain_batch(*data), want["steps"], want["final_loss"], want["noise"]);
  check_parameters(*plain.trainer, want["tensors"]);
  Training masked(GetParam(), 1);
  check_steps(*masked.trainer, masked_batch(*data), want["masked_steps"], want["masked_final_loss"],
              want["masked_noise"]);
}

INSTANTIATE_TEST_SUITE_P(Models, FullTraining,
                         testing::Values("llama2-gqa", "mixtral", "mamba", "gemma3-text", "qwen2", "rwkv4"),
                         [](const testing::TestParamInfo<std::string>& which) {
                           std::string name = which.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(FullTraining, PackedRowIsTheSameBatch) {
  const Json want = read_json(golden("train/full/packed.json"));
  Training run("llama2-gqa", 2);
  const TrainBatch batch = unpack(want["input_ids"], want["labels"], want["position_ids"]);
  ASSERT_EQ(batch.size(), 2u);
  check_steps(*run.trainer, batch, want["steps"], want["final_loss"], Json::object());
}

TEST(FullTraining, ThreadsDoNotChangeABit) {
  const auto data = open_safetensors(golden("train/full/mixtral.safetensors"));
  Training one("mixtral", 1), two("mixtral", 2);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(one.trainer->step(plain_batch(*data)).loss, two.trainer->step(plain_batch(*data)).loss);
}

TEST(FullTraining, ThreadsDoNotChangeABitOfAnyGradient) {
  for (const char* name : {"llama2-gqa", "mixtral", "mamba", "gemma3-text", "qwen2"}) {
    const auto data = open_safetensors(golden(std::string("train/full/") + name + ".safetensors"));
    Training one(name, 1), two(name, 2);
    for (Training* run : {&one, &two})
      run->trainer->step(plain_batch(*data)), run->trainer->gradients(plain_batch(*data));
    for (size_t i = 0; i < one.trainer->trained().size(); ++i) {
      const Trained &a = one.trainer->trained()[i], &b = two.trainer->trained()[i];
      EXPECT_EQ(std::memcmp(a.gradient.f32(), b.gradient.f32(), static_cast<size_t>(a.gradient.view().bytes())), 0)
          << name << " " << a.name;
      EXPECT_EQ(std::memcmp(a.value.f32(), b.value.f32(), static_cast<size_t>(a.value.view().bytes())), 0)
          << name << " " << a.name;
    }
  }
}

TEST(Trainer, RefusesWhatItCannotTrainOn) {
  Training run("llama2-gqa", 1);
  EXPECT_THROW(unpack({1, 2}, {1}, {0, 1}), Error);
  EXPECT_THROW(unpack({1, 2}, {1, 2}, {1, 2}), Error);
  EXPECT_THROW(unpack({1, 2, 3}, {1, 2, 3}, {0, 1, 3}), Error);
  EXPECT_THROW(run.trainer->step({{{1, 2, 3}, {1, 2}}}), Error);
  EXPECT_THROW(run.trainer->step({{{1, 1 << 20}, {1, 1}}}), Error);
  EXPECT_THROW(run.trainer->step({{{1, 2}, {1, -7}}}), Error);
}

TEST(Trainer, NothingCountedIsNoLossAndNoGradient) {
  Training run("llama2-gqa", 2);
  EXPECT_EQ(run.trainer->gradients({{{1, 2, 3}, {1, no_label, no_label}}, {{}, {}}, {{4}, {4}}}), 0);
  for (const Trained& t : run.trainer->trained())
    for (int64_t i = 0; i < t.gradient.view().numel(); ++i) ASSERT_EQ(t.gradient.f32()[i], 0);
  EXPECT_EQ(run.trainer->loss({}), 0);
}

TEST(Trainer, StopsBeforeTheWeightsAreLost) {
  Training run("llama2-gqa", 1);
  const TrainBatch batch{{{1, 2, 3}, {1, 2, 3}}};
  Trained& first = run.trainer->trained()[0];
  const float kept = first.value.f32()[first.value.view().cols()];  // token 1
  first.value.f32()[first.value.view().cols()] = INFINITY;
  const float other = run.trainer->trained()[1].value.f32()[0];
  EXPECT_THROW(run.trainer->step(batch), Error);
  EXPECT_EQ(run.trainer->trained()[1].value.f32()[0], other);
  first.value.f32()[first.value.view().cols()] = kept;
  EXPECT_EQ(run.trainer->step(batch).step, 0);
}

}  // namespace
}  // namespace madang
