// Every architecture against reference answers: logits of the whole prompt at once, in pieces and token by token,
// and the greedy continuation through the cache. Cases lie in tests/data/models and, when there, beside the checkout.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "engine/checkpoint.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string name, model, expected, config;
};

// A case whose frequencies depend on its length gives other logits in pieces by nature.
bool at_once_only(const std::string& name) { return name == "llama-dynamic-ntk"; }

std::set<std::string> known_architectures() {
  std::set<std::string> names;
  for (const Architecture& a : architectures()) names.emplace(a.name);
  return names;
}

void add_folders(std::vector<Case>& cases, const fs::path& root) {
  if (!fs::exists(root)) return;
  for (const auto& entry : fs::directory_iterator(root)) {
    const fs::path expected = entry.path() / "expected.safetensors";
    if (!fs::exists(expected)) continue;
    const Json config = read_json((entry.path() / "config.json").string());
    if (!known_architectures().contains(config.value("model_type", ""))) continue;
    const std::string name = entry.path().filename().string();
    cases.push_back({name, entry.path().string(), expected.string(), ""});
    if (fs::exists(entry.path() / "config.old.json"))
      cases.push_back(
          {name + "_old", entry.path().string(), expected.string(), (entry.path() / "config.old.json").string()});
  }
}

void add_files(std::vector<Case>& cases, const fs::path& root) {
  if (!fs::exists(root)) return;
  for (const auto& entry : fs::directory_iterator(root)) {
    std::string name = entry.path().filename().string();
    const std::string ending = ".expected.safetensors";
    if (!name.ends_with(ending)) continue;
    name.resize(name.size() - ending.size());
    std::string model = (root / (name + ".gguf")).string();
    if (!fs::exists(model)) model = (root / (name + "-00001-of-00002.gguf")).string();
    const Gguf file(model);
    try {
      if (known_architectures().contains(config_of_gguf(file).architecture()))
        cases.push_back({"gguf_" + name, model, entry.path().string(), ""});
    } catch (const Error& fault) {
      if (fault.kind() != Kind::unsupported) throw;
    }
  }
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_folders(cases, test::data_folder() + "/models");
  add_files(cases, test::data_folder() + "/gguf");
  const std::string shared = test::shared_folder();
  if (!shared.empty()) {
    add_folders(cases, shared + "/golden/models");
    add_files(cases, shared + "/golden/gguf");
  }
  std::ranges::sort(cases, {}, &Case::name);
  auto twice = std::ranges::unique(cases, {}, &Case::name);
  cases.erase(twice.begin(), twice.end());
  return cases;
}

struct Answer {
  std::vector<int32_t> ids, greedy;
  std::vector<float> margins, logits;
  int64_t vocabulary = 0;
  float largest = 0;

  explicit Answer(const std::string& path) {
    auto source = open_safetensors(path);
    auto values = [&](const char* name) { return source->find(name); };
    auto integers = [](const StoredTensor& t) {
      std::vector<int32_t> out;
      for (int64_t i = 0; i < t.numel(); ++i) {
        int64_t id;
        std::memcpy(&id, t.bytes.data() + i * 8, 8);
        out.push_back(static_cast<int32_t>(id));
      }
      return out;
    };
    auto floats = [](const StoredTensor& t) {
      std::vector<float> out(static_cast<size_t>(t.numel()));
      std::memcpy(out.data(), t.bytes.data(), t.bytes.size());
      return out;
    };
    ids = integers(*values("input_ids"));
    logits = floats(*values("logits"));
    vocabulary = values("logits")->shape[1];
    if (values("greedy_ids")) greedy = integers(*values("greedy_ids")), margins = floats(*values("greedy_margin"));
    for (float x : logits) largest = std::max(largest, std::fabs(x));
  }
};

class Golden : public testing::TestWithParam<Case> {
 protected:
  ThreadPool pool{2};
  Arena arena;
  const Kernels& kernels = pick_kernels("");
};

TEST_P(Golden, LogitsAndGreedyContinuation) {
  const Answer want(GetParam().expected);
  auto checkpoint = Checkpoint::open(GetParam().model, {.config_path = GetParam().config});
  const Model& model = checkpoint->model();
  const auto specs = model.states();
  const auto length = static_cast<int64_t>(want.ids.size());
  const bool once = at_once_only(GetParam().name.substr(0, GetParam().name.find("_old")));
  Ctx c{pool, arena, kernels};
  for (int64_t chunk : {length, int64_t{5}, int64_t{1}}) {
    if (once && chunk != length) break;
    SequenceState state(specs, KvType::f32, length + (once ? 0 : static_cast<int64_t>(want.greedy.size())));
    std::vector<float> got;
    auto feed = [&](std::span<const int32_t> ids) {
      Step step;
      step.add(ids, &state, Step::Want::all);
      arena.rewind({});
      Tensor logits = model.forward(c, step);
      step.advance();
      got.assign(logits.f32(), logits.f32() + logits.numel());
    };
    float worst = 0;
    for (int64_t at = 0; at < length; at += chunk) {
      feed(std::span(want.ids).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(chunk, length - at))));
      for (size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::fabs(got[i] - want.logits[static_cast<size_t>(at * want.vocabulary) + i]));
    }
    EXPECT_LE(worst, 1e-4f * want.largest) << "chunks of " << chunk;
    RecordProperty("chunk_" + std::to_string(chunk), std::to_string(worst / want.largest));
    for (size_t i = 0; !once && i < want.greedy.size(); ++i) {
      const auto last = std::span(got).last(static_cast<size_t>(want.vocabulary));
      const auto best = static_cast<int32_t>(std::ranges::max_element(last) - last.begin());
      if (want.margins[i] < 4e-5f * want.largest) break;
      ASSERT_EQ(best, want.greedy[i]) << "greedy id " << i << ", chunks of " << chunk;
      feed(std::span(&best, 1));
    }
  }
}

// What fast mode rounds: in files whose matrices are floats nothing, else what int8 activations lose.
TEST_P(Golden, FastModeIsNear) {
  const Answer want(GetParam().expected);
  auto checkpoint = Checkpoint::open(GetParam().model, {.config_path = GetParam().config});
  SequenceState state(checkpoint->model().states(), KvType::f32, static_cast<int64_t>(want.ids.size()));
  Ctx c{pool, arena, kernels, Compute::fast};
  Step step;
  step.add(want.ids, &state, Step::Want::all);
  arena.rewind({});
  const Tensor logits = checkpoint->model().forward(c, step);
  double apart = 0, whole = 0;
  for (int64_t i = 0; i < logits.numel(); ++i) {
    const double reference = want.logits[static_cast<size_t>(i)], got = logits.f32()[i];
    apart += (got - reference) * (got - reference), whole += reference * reference;
  }
  EXPECT_LE(std::sqrt(apart / whole), 0.03);
  RecordProperty("relative_l2", std::to_string(std::sqrt(apart / whole)));
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(all_cases()), [](const testing::TestParamInfo<Case>& which) {
  std::string name = which.param.name;
  std::ranges::replace_if(name, [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Golden);

}  // namespace
}  // namespace madang
