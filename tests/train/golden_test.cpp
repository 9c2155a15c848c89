// Training against PyTorch's numbers: whole models, twenty steps of AdamW through the forward of inference. Losses,
// gradient norms, whole gradients of the first step and every parameter's statistics after the last.
#include "golden.h"
#include "base/error.h"

namespace madang {
namespace {

using namespace test;

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

// A tensor of the file, put together from the parameters that layers made of it.
struct Whole {
  std::vector<float> value, gradient;
  bool decays = false;
};

std::map<std::string, Whole> whole_tensors(const Training& run) {
  std::map<std::string, Whole> all;
  const auto& trained = run.trainer->trained();
  for (size_t i = 0; i < trained.size(); ++i) {
    const int64_t n = trained[i].value.view().numel();
    const StoredPlaces places = run.store->places({trained[i].name, 1, n, nullptr});
    Whole& whole = all[places.tensor->name];
    whole.value.resize(static_cast<size_t>(places.tensor->numel()));
    whole.gradient.resize(whole.value.size());
    whole.decays = trained[i].decays;
    for (size_t k = 0; k < places.at.size(); ++k) {
      whole.value[places.at[k]] = trained[i].value.f32()[k];
      whole.gradient[places.at[k]] = trained[i].gradient.f32()[k];
    }
  }
  return all;
}

double squares(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += static_cast<double>(v) * v;
  return sum;
}

void check_first_gradients(const Training& run, const Source& data, const Json& want) {
  const Json& tensors = want["tensors"];
  size_t compared = 0;
  for (const auto& [name, whole] : whole_tensors(run)) {
    if (want.contains("not_trained") && std::ranges::count(want["not_trained"], Json(name)) > 0) {
      EXPECT_EQ(squares(whole.gradient), 0) << name;
      continue;
    }
    ASSERT_TRUE(tensors.contains(name)) << name;
    const double size = tensors[name]["grad0_l2"];
    EXPECT_NEAR(std::sqrt(squares(whole.gradient)), size, 1e-4 * size) << name;
    EXPECT_EQ(whole.decays, tensors[name]["decay"].get<bool>()) << name;
    if (!data.find("grad0." + name)) continue;
    ++compared;
    std::vector<float> off = floats_of(data, "grad0." + name);
    ASSERT_EQ(off.size(), whole.gradient.size());
    for (size_t i = 0; i < off.size(); ++i) off[i] -= whole.gradient[i];
    EXPECT_LE(std::sqrt(squares(off)), 1e-4 * size) << "whole gradient of " << name;
  }
  EXPECT_EQ(compared, 2u);
}

void check_parameters(const Training& run, const Json& want) {
  const auto all = whole_tensors(run);
  EXPECT_EQ(all.size(), want["tensors"].size() + want.value("not_trained", Json::array()).size());
  for (const auto& [name, entry] : want["tensors"].items()) {
    const std::vector<float>& value = all.at(name).value;
    const auto n = static_cast<double>(value.size());
    double sum = 0;
    for (float v : value) sum += v;
    const double l2 = entry["l2"], rule = std::max(5e-5, 10 * entry.value("noise", 0.0)), mean = sum / n;
    EXPECT_NEAR(std::sqrt(squares(value)), l2, rule * l2) << name;
    EXPECT_NEAR(mean, entry["mean"].get<double>(), rule * l2 / std::sqrt(n)) << name;
    EXPECT_NEAR(std::sqrt(std::max(0.0, squares(value) / n - mean * mean)), entry["std"].get<double>(),
                rule * l2 / std::sqrt(n))
        << name;
  }
}

// Every model with answers, beside the checkout or in the repository.
std::vector<std::string> models() {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(golden("train/full")))
    if (entry.path().extension() == ".safetensors") all.push_back(entry.path().stem().string());
  std::ranges::sort(all);
  return all;
}

class FullTraining : public testing::TestWithParam<std::string> {};

TEST_P(FullTraining, FollowsPyTorch) {
  const Json want = read_json(golden("train/full/" + GetParam() + ".json"));
  const auto data = open_safetensors(golden("train/full/" + GetParam() + ".safetensors"));
  const auto known = architectures();
  const std::string architecture = open_source(golden("models/" + GetParam()))->config().architecture();
  if (std::ranges::find(known, architecture, &Architecture::name) == known.end()) GTEST_SKIP() << architecture;
  Training plain(GetParam(), 2);
  plain.trainer->gradients(plain_batch(*data));
  check_first_gradients(plain, *data, want);
  check_steps(*plain.trainer, plain_batch(*data), want["steps"], want["final_loss"], want["noise"]);
  check_parameters(plain, want);
  Training masked(GetParam(), 1);
  check_steps(*masked.trainer, masked_batch(*data), want["masked_steps"], want["masked_final_loss"],
              want["masked_noise"]);
}

INSTANTIATE_TEST_SUITE_P(Models, FullTraining, testing::ValuesIn(models()),
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
