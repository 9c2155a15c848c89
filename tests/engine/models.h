// Tiny models for the engine's tests: those of tests/data, and more of the same families where there is a shared
// folder. OnTinyModels is a suite over all of them, exact and fast:
//
//   class Guessing : public test::OnTinyModels {};
//   TEST_P(Guessing, ChangesNothing) { Engine engine(*checkpoint_, options(0, 200)); ... }
//   INSTANTIATE_TEST_SUITE_P(Models, Guessing, test::on_tiny_models(), test::tiny_model_name);
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "engine/checkpoint.h"
#include "engine/engine.h"
#include "support.h"

namespace madang::test {

inline std::vector<std::string> tiny_models() {
  const std::vector<std::string> more = {"llama-linear", "llama-dynamic-ntk", "gemma3-text", "qwen2",
                                         "qwen2-swa",    "mixtral",           "mistral-full"};
  const std::vector<std::string> more_files = {"llama-256-q4_k_m", "llama-256-q2_k", "llama-256-q6_k", "llama-256-q4_0",
                                               "llama-bf16"};
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/models"))
    paths.push_back(entry.path().string());
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/gguf"))
    if (entry.path().extension() == ".gguf") paths.push_back(entry.path().string());
  if (!shared_folder().empty()) {
    for (const auto& name : more) paths.push_back(shared_folder() + "/golden/models/" + name);
    for (const auto& name : more_files) paths.push_back(shared_folder() + "/golden/gguf/" + name + ".gguf");
  }
  std::erase_if(paths, [](const std::string& path) { return !std::filesystem::exists(path); });
  std::ranges::sort(paths);
  return paths;
}

inline std::string test_name(const std::string& path) {
  std::string name = (path.starts_with(data_folder()) ? "" : "more_") + std::filesystem::path(path).filename().string();
  std::ranges::replace_if(name, [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
  return name;
}

class OnTinyModels : public testing::TestWithParam<std::tuple<std::string, Compute>> {
 protected:
  int64_t between(int64_t low, int64_t high) { return random_.between(low, high); }
  int32_t some_id() { return static_cast<int32_t>(between(0, checkpoint_->model().vocabulary() - 1)); }
  std::vector<int32_t> some_ids(int64_t n) {
    std::vector<int32_t> ids(static_cast<size_t>(n));
    std::ranges::generate(ids, [this] { return some_id(); });
    return ids;
  }
  /// With one thread or two; keys and values of the type of that number (mod 4).
  EngineOptions options(int64_t type, int64_t context) {
    constexpr KvType types[] = {KvType::f32, KvType::f16, KvType::bf16, KvType::q8};
    EngineOptions o{.kv = types[type % 4], .context = context};
    o.work = {.threads = static_cast<int>(between(1, 2)), .compute = std::get<1>(GetParam())};
    return o;
  }

  std::shared_ptr<const Checkpoint> checkpoint_ = Checkpoint::open(std::get<0>(GetParam()));
  Random random_{seed()};
};

inline std::string tiny_model_name(const testing::TestParamInfo<OnTinyModels::ParamType>& given) {
  return test_name(std::get<0>(given.param)) + (std::get<1>(given.param) == Compute::exact ? "_exact" : "_fast");
}

inline auto on_tiny_models() {
  return testing::Combine(testing::ValuesIn(tiny_models()), testing::Values(Compute::exact, Compute::fast));
}

}  // namespace madang::test
