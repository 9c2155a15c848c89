// Adapters against peft: twenty steps on frozen, possibly quantized bases; losses, gradient norms, every factor at the
// end, and the logits of the adapted model. All cases beside the checkout, or the repository's own copies.
#include "base/error.h"
#include "tuning.h"

namespace madang {
namespace {

using namespace test;

std::string base_of(const std::string& kind, const std::string& model) {
  if (kind == "lora") return golden("models/" + model);
  const std::string gguf = golden("gguf/" + model + ".gguf");
  return fs::exists(gguf) ? gguf : golden("quant/" + model);
}

double length(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

double distance(std::vector<float> a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return length(a);
}

// What the adapter's own file would hold, by peft's names.
std::shared_ptr<const Source> written(const Adapter& adapter, const TemporaryFolder& folder) {
  adapter.write(folder / "adapter");
  return open_safetensors(folder / "adapter/adapter_model.safetensors");
}

void check_factors(const Source& got, const Source& want, const Json& tensors) {
  ASSERT_EQ(got.tensors().size(), tensors.size());
  ASSERT_EQ(got.tensors().size(), want.tensors().size());
  for (const StoredTensor& t : want.tensors()) {
    ASSERT_TRUE(got.find(t.name)) << t.name;
    EXPECT_EQ(got.find(t.name)->shape, t.shape) << t.name;
    const auto mine = floats_of(got, t.name), reference = floats_of(want, t.name);
    const double rule = std::max(5e-5, 10 * tensors[t.name].value("noise", 0.0));
    EXPECT_LE(distance(mine, reference), rule * length(reference)) << t.name;
    EXPECT_NEAR(length(mine), tensors[t.name]["l2"].get<double>(), rule * length(reference)) << t.name;
  }
}

void check_logits(const Tuning& run, const Source& expected) {
  const auto got = run.logits(ids_of(expected, "probe_ids"));
  for (const char* name : {"logits", "merged_logits"}) {
    const auto want = floats_of(expected, name);
    ASSERT_EQ(got.size(), want.size());
    float largest = 0, off = 0;
    for (size_t i = 0; i < got.size(); ++i)
      largest = std::max(largest, std::fabs(want[i])), off = std::max(off, std::fabs(got[i] - want[i]));
    EXPECT_LE(off, 1e-4 * largest) << name;
  }
}

std::vector<std::string> cases() {
  std::vector<std::string> all;
  for (const std::string kind : {"lora", "quantized"})
    if (fs::exists(golden("train/" + kind)))
      for (const auto& entry : fs::directory_iterator(golden("train/" + kind)))
        all.push_back(kind + "/" + entry.path().filename().string());
  std::ranges::sort(all);
  return all;
}

class LoraTraining : public testing::TestWithParam<std::string> {};

TEST_P(LoraTraining, FollowsPeft) {
  const std::string folder = golden("train/" + GetParam()), kind = GetParam().substr(0, GetParam().find('/'));
  const Json want = read_json(folder + "/expected.json");
  const auto data = open_safetensors(folder + "/expected.safetensors");
  std::optional<Tuning> run;
  try {
    run.emplace(base_of(kind, want["model"]), Adapter::read(folder + "/initial", Adapter::Use::train), 2);
  } catch (const Error& fault) {
    if (fault.kind() != Kind::unsupported) throw;  // an architecture to come
    GTEST_SKIP() << fault.what();
  }
  run->trainer->gradients(plain_batch(*data));
  for (const Trained& t : run->trainer->trained()) {
    ASSERT_TRUE(want["tensors"].contains(t.name)) << t.name;
    double sum = 0;
    for (int64_t i = 0; i < t.gradient.view().numel(); ++i) sum += std::pow(t.gradient.f32()[i], 2);
    EXPECT_NEAR(std::sqrt(sum), want["tensors"][t.name]["grad0_l2"].get<double>(), 1e-4 * std::sqrt(sum)) << t.name;
    EXPECT_EQ(t.decays, t.name.find("magnitude") == std::string::npos) << t.name;
  }
  check_steps(*run->trainer, plain_batch(*data), want["steps"], want["final_loss"], want["noise"]);
  TemporaryFolder scratch;
  check_factors(*written(*run->adapter, scratch), *open_safetensors(folder + "/final/adapter_model.safetensors"),
                want["tensors"]);
  // What was written is the adapter, and so is what peft wrote.
  for (const std::string& path : {scratch / "adapter", folder + "/final"})
    check_logits(Tuning(base_of(kind, want["model"]), Adapter::read(path, Adapter::Use::answer), 1), *data);
}

INSTANTIATE_TEST_SUITE_P(Cases, LoraTraining, testing::ValuesIn(cases()),
                         [](const testing::TestParamInfo<std::string>& which) {
                           std::string name = which.param;
                           std::ranges::replace_if(name, [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

}  // namespace
}  // namespace madang
