// Gradients of adapters in every architecture: against finite differences, and, where MADANG_LORA_GRADIENTS names what
// tests/make/lora_gradients.py made, against PyTorch's.
#include "base/error.h"
#include "base/random.h"
#include "tuning.h"

namespace madang {
namespace {

using namespace test;

std::vector<std::string> folders_in(const std::string& path) {
  std::vector<std::string> names;
  if (!path.empty() && fs::exists(path))
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string given_answers() {
  const char* named = std::getenv("MADANG_LORA_GRADIENTS");
  return named ? named : "";
}

std::string test_name(const testing::TestParamInfo<std::string>& which) {
  std::string name = which.param;
  std::ranges::replace_if(name, [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

/// The base with this adapter; nothing where the architecture is not built.
std::optional<Tuning> opened(const std::string& name, const std::shared_ptr<Adapter>& adapter) {
  try {
    return std::optional<Tuning>(std::in_place, golden("models/" + name), adapter, 2);
  } catch (const Error& fault) {
    if (fault.kind() != Kind::unsupported) throw;
    return {};
  }
}

class AdapterGradients : public testing::TestWithParam<std::string> {};

TrainBatch random_batch(Random& random, int64_t vocabulary) {
  TrainBatch batch(3);
  for (TrainRow& row : batch) {
    for (int i = 0; i < 12; ++i)
      row.ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
    row.labels = row.ids;
  }
  return batch;
}

using Direction = std::vector<std::vector<float>>;

// Of the factors of one kind along their gradient, where the slope stands out of float32's rounding, bent by noise of
// the same length; of length one.
Direction direction_of(const std::vector<Trained>& trained, const char* kind, Random& random) {
  Direction all;
  double size = 0;
  for (const Trained& t : trained) {
    auto& d = all.emplace_back(static_cast<size_t>(t.value.view().numel()), 0.0f);
    if (t.name.find(kind) == std::string::npos) continue;
    double sum = 0;
    for (size_t i = 0; i < d.size(); ++i) sum += std::pow(t.gradient.f32()[i], 2);
    const double noise = std::sqrt(sum / static_cast<double>(d.size()));
    for (size_t i = 0; i < d.size(); ++i) {
      d[i] = t.gradient.f32()[i] + static_cast<float>(noise * random.normal());
      size += std::pow(d[i], 2);
    }
  }
  for (auto& d : all)
    for (float& x : d) x /= static_cast<float>(std::sqrt(size));
  return all;
}

double loss_at(Trainer& trainer, const TrainBatch& batch, const Direction& direction, double along) {
  auto& trained = trainer.trained();
  Direction kept;
  for (size_t p = 0; p < trained.size(); ++p) {
    float* v = trained[p].value.f32();
    kept.emplace_back(v, v + direction[p].size());
    for (size_t i = 0; i < direction[p].size(); ++i) v[i] += static_cast<float>(along * direction[p][i]);
  }
  const double loss = trainer.loss(batch);
  for (size_t p = 0; p < trained.size(); ++p) std::ranges::copy(kept[p], trained[p].value.f32());
  return loss;
}

// The loss along a direction of all factors: its slope is the gradient's share of that direction. Where a token is
// about to change its experts the loss has no slope: then another batch is asked, and a wrong gradient is wrong for
// all.
TEST_P(AdapterGradients, AreTheSlopeOfTheLoss) {
  Random random(seed());
  auto run = opened(GetParam(), Adapter::make(AdapterConfig(3, 6, "all-linear", false, false), 1));
  if (!run) GTEST_SKIP();
  auto& trained = run->trainer->trained();
  for (Trained& t : trained)
    for (int64_t i = 0; i < t.value.view().numel(); ++i) t.value.f32()[i] += 0.1f * static_cast<float>(random.normal());
  // Small models bend: at 1e-3 the third derivative of a Zamba 2 is a tenth of its slope. At 3e-4 it is a hundredth of
  // that, and the rounding of the loss, 1e-6 / 6e-4, still below a hundredth of a slope near 1.
  constexpr double step = 3e-4;
  for (const char* kind : {"lora_A", "lora_B"}) {
    std::string apart;
    for (int attempt = 0; attempt < 8; ++attempt) {
      const TrainBatch batch = random_batch(random, run->model->vocabulary());
      run->trainer->gradients(batch);
      const Direction direction = direction_of(trained, kind, random);
      double slope = 0;
      for (size_t p = 0; p < trained.size(); ++p)
        for (size_t i = 0; i < direction[p].size(); ++i) slope += direction[p][i] * trained[p].gradient.f32()[i];
      const double found =
          (loss_at(*run->trainer, batch, direction, step) - loss_at(*run->trainer, batch, direction, -step)) /
          (2 * step);
      ASSERT_GT(slope, 0);
      if (std::fabs(found - slope) <= 1e-2 * slope) {
        apart.clear();
        break;
      }
      apart += fmt::format("{} for {}, ", found, slope);
    }
    EXPECT_EQ(apart, "") << kind;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, AdapterGradients, testing::ValuesIn(folders_in(golden("models"))), test_name);

class AutogradAnswers : public testing::TestWithParam<std::string> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AutogradAnswers);

TEST_P(AutogradAnswers, AreOurs) {
  const std::string folder = given_answers() + "/" + GetParam();
  auto run = opened(GetParam(), Adapter::read(folder, Adapter::Use::train));
  if (!run) GTEST_SKIP();
  const auto answers = open_safetensors(folder + "/answers.safetensors");
  const double loss = run->trainer->gradients(plain_batch(*answers));
  EXPECT_NEAR(loss, floats_of(*answers, "loss")[0], 1e-5 * loss);
  double largest = 0;
  for (Trained& t : run->trainer->trained()) {  // written as values, they lie as the file has them
    for (int64_t i = 0; i < t.value.view().numel(); ++i) {
      t.value.f32()[i] = t.gradient.f32()[i];
      largest = std::max<double>(largest, std::fabs(t.gradient.f32()[i]));
    }
  }
  TemporaryFolder scratch;
  run->adapter->write(scratch / "gradients");
  const auto mine = open_safetensors(scratch / "gradients/adapter_model.safetensors");
  EXPECT_EQ(mine->tensors().size() + 2, answers->tensors().size());
  for (const StoredTensor& t : mine->tensors()) {
    ASSERT_TRUE(answers->find(t.name)) << t.name;
    std::vector<float> off = floats_of(*answers, t.name);
    const auto got = floats_of(*mine, t.name);
    double size = 0, apart = 0;
    for (size_t i = 0; i < off.size(); ++i) size += std::pow(off[i], 2), apart += std::pow(off[i] - got[i], 2);
    // Gradients that are zero in exact arithmetic are noise of rounding.
    EXPECT_LE(std::sqrt(apart), 1e-3 * std::sqrt(size) + 1e-7 * largest) << t.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, AutogradAnswers, testing::ValuesIn(folders_in(given_answers())), test_name);

}  // namespace
}  // namespace madang
