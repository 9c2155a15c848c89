// Quantizing in one step what is no GGUF: the same file, byte for byte, as converting first and quantizing then.
#include "convert/gguf_draft.h"

#include <algorithm>
#include <random>

#include "base/error.h"
#include "compress/quantize.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> folders_in(const std::string& root) {
  std::vector<std::string> all;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(root, ignored))
    if (fs::exists(entry.path() / "config.json")) all.push_back(entry.path().string());
  std::ranges::sort(all);
  return all;
}

QuantizeOptions of(std::string_view recipe) {
  QuantizeOptions options;
  options.recipe = &recipe_by_name(recipe);
  options.requantize = options.without_importance = true;
  return options;
}

void quantized(const std::string& from, const std::string& to, const QuantizeOptions& options, int threads) {
  QuantizePlan plan = plan_quantize(open_as_gguf(from), options);
  ThreadPool pool(threads);
  quantize(plan, to, pool);
  for (const PlannedTensor& t : plan.tensors) EXPECT_LT(t.relative_error, 1) << t.tensor->name;
}

/// False if GGUF cannot say the model.
bool converted(const std::string& from, const std::string& to, const Format* type = nullptr) try {
  ThreadPool pool(2);
  convert(plan_convert(Checkpoint::open(from, {.weights = false}), to, {.type = type}), to, pool);
  return true;
} catch (const Error& e) {
  if (e.kind() != Kind::unsupported) throw;
  return false;
}

/// Random weights in rows of whole blocks, which the reference models' are not.
std::string random_model(const std::string& folder, const char* type) {
  const Json keys = {{"model_type", type},       {"vocab_size", 64},
                     {"hidden_size", 256},       {"intermediate_size", 256},
                     {"num_hidden_layers", 1},   {"num_attention_heads", 4},
                     {"num_key_value_heads", 2}, {"num_local_experts", 3},
                     {"num_experts_per_tok", 2}, {"tie_word_embeddings", type == std::string("llama")}};
  std::mt19937_64 random(test::seed());
  std::normal_distribution<float> normal(0, 0.05f);
  fs::create_directories(folder);
  std::ofstream(folder + "/config.json") << keys.dump();
  std::vector<NamedTensor> tensors;
  const Config config(keys, folder);
  std::vector<NamedShape> weights = blueprint_of(config).weights;
  if (config.flag("tie_word_embeddings", false))
    std::erase_if(weights, [](const NamedShape& w) { return w.name == "lm_head.weight"; });
  std::vector<Buffer> kept;
  for (const Placement& p : placements(weights, Layout::hugging_face, config)) {
    Shape shape;
    for (int64_t n : p.shape) shape.dim[static_cast<size_t>(shape.rank++)] = n;
    kept.emplace_back(DType::f32, shape);
    for (int64_t i = 0; i < kept.back().view().numel(); ++i) kept.back().f32()[i] = normal(random);
    tensors.push_back({p.name, kept.back().view()});
  }
  write_safetensors(folder + "/model.safetensors", tensors);
  return folder;
}

TEST(OneStep, IsConvertingThenQuantizing) {
  const test::TemporaryFolder folder;
  std::vector<std::string> models = folders_in(test::data_folder() + "/models");
  if (!test::shared_folder().empty())
    std::ranges::copy(folders_in(test::shared_folder() + "/golden/models"), std::back_inserter(models));
  for (const char* type : {"llama", "mixtral", "falcon"}) models.push_back(random_model(folder / type, type));
  int held = 0;
  for (const std::string& from : models) {
    if (!converted(from, folder / "whole.gguf")) {
      EXPECT_THROW(quantized(from, folder / "one.gguf", of("Q8_0"), 1), Error) << from;
      continue;
    }
    ++held;
    quantized(folder / "whole.gguf", folder / "two.gguf", of("Q4_K_M"), 2);
    quantized(from, folder / "one.gguf", of("Q4_K_M"), 1 + held % 3);
    EXPECT_TRUE(test::read_text(folder / "one.gguf") == test::read_text(folder / "two.gguf")) << from;
  }
  EXPECT_GE(held, 9);
}

// Rows of other schemes are read exactly and rounded once: as if every value had been written as float32 before.
TEST(OneStep, RoundsQuantizedCheckpointsOnce) {
  if (test::shared_folder().empty()) GTEST_SKIP() << "no shared folder";
  const test::TemporaryFolder folder;
  int held = 0;
  for (const std::string& from : folders_in(test::shared_folder() + "/golden/quant")) {
    if (!converted(from, folder / "whole.gguf", &f32_format)) continue;
    ++held;
    quantized(folder / "whole.gguf", folder / "two.gguf", of("Q5_K_S"), 2);
    quantized(from, folder / "one.gguf", of("Q5_K_S"), 3);
    const Gguf one(folder / "one.gguf"), two(folder / "two.gguf");
    ASSERT_EQ(one.tensors().size(), two.tensors().size());
    for (const StoredTensor& t : one.tensors()) {
      const StoredTensor* other = two.find(t.name);
      ASSERT_NE(other, nullptr) << t.name;
      EXPECT_EQ(t.type_name(), other->type_name()) << from << " " << t.name;
      EXPECT_TRUE(std::ranges::equal(t.bytes, other->bytes)) << from << " " << t.name;
    }
  }
  EXPECT_GE(held, 6);
}

TEST(OneStep, WeightsOfFewBitsWantToBeAskedFor) {
  if (test::shared_folder().empty()) GTEST_SKIP() << "no shared folder";
  QuantizeOptions options = of("Q4_K_M");
  options.requantize = false;
  const std::string all = test::shared_folder() + "/golden/quant/";
  for (const std::string& from : folders_in(all + "awq"))
    EXPECT_THROW(plan_quantize(open_as_gguf(from), options), Error) << from;
  for (const std::string& from : folders_in(all + "fp8"))
    EXPECT_NO_THROW(plan_quantize(open_as_gguf(from), options)) << from;
}

// What was collected from a repository is by the names of its own tensors; that of a GGUF by GGUF's.
TEST(OneStep, ImportanceByEitherName) {
  const test::TemporaryFolder folder;
  const std::string from = random_model(folder / "mixtral", "mixtral");
  ASSERT_TRUE(converted(from, folder / "whole.gguf"));
  Importance here, there;
  std::mt19937_64 random(test::seed());
  std::uniform_real_distribution<float> uniform(0.1f, 9);
  const Config config = open_source(from)->config();
  for (const Placement& p : placements(blueprint_of(config).weights, Layout::gguf, config))
    for (size_t m = 0; m < p.weights.size() && p.shape.size() > 1; ++m) {
      std::vector<float> row(static_cast<size_t>(p.shape.back()));
      for (float& v : row) v = uniform(random);
      here.add(p.name, static_cast<int64_t>(m), static_cast<int64_t>(p.weights.size()), row);
      there.add(p.weights[m].name, 0, 1, row);
    }
  QuantizeOptions options = of("Q4_0");
  quantized(from, folder / "plain.gguf", options, 2);
  options.importance = &here;
  quantized(folder / "whole.gguf", folder / "here.gguf", options, 2);
  options.importance = &there;
  quantized(from, folder / "there.gguf", options, 2);
  const Gguf plain(folder / "plain.gguf"), a(folder / "here.gguf"), b(folder / "there.gguf");
  int differ = 0;
  for (const StoredTensor& t : a.tensors()) {
    EXPECT_TRUE(std::ranges::equal(t.bytes, b.find(t.name)->bytes)) << t.name;
    differ += !std::ranges::equal(t.bytes, plain.find(t.name)->bytes);
  }
  EXPECT_GT(differ, 8);
}

TEST(OneStep, StoppingLeavesNoFile) {
  const test::TemporaryFolder folder;
  QuantizePlan plan = plan_quantize(open_as_gguf(test::data_folder() + "/models/qwen2"), of("Q8_0"));
  ThreadPool pool(1);
  EXPECT_THROW(quantize(plan, folder / "out.gguf", pool, [](const Progress&) { return false; }), Error);
  EXPECT_TRUE(fs::is_empty(folder.path));
}

}  // namespace
}  // namespace madang
