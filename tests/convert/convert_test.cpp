// Conversions both ways: the other file gives the same answers, holds the same text parts, and comes back unchanged.
#include "convert/convert.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "convert/config_json.h"
#include "convert/verify.h"
#include "store/config_to_gguf.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

void convert_to(const std::string& from, const std::string& to, const ConvertOptions& options = {}) {
  ThreadPool pool(2);
  convert(plan_convert(Checkpoint::open(from, {.weights = false}), to, options), to, pool);
}

Verification compared(const std::string& a, const std::string& b) {
  return verify(*Checkpoint::open(a), *Checkpoint::open(b), {.tokens = 24, .greedy = 8, .work = {.threads = 2}});
}

std::vector<std::string> models_in(const std::string& root, const char* sign) {
  std::vector<std::string> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root, ignored))
    if (entry.path().extension() == sign || fs::exists(entry.path() / sign)) all.push_back(entry.path().string());
  std::ranges::sort(all);
  return all;
}

class Conversion : public testing::TestWithParam<std::string> {};

// A repository becomes GGUF with every weight as it was, and comes back.
TEST_P(Conversion, ThereAndBack) {
  const std::string from = GetParam();
  const test::TemporaryFolder folder;
  const bool gguf = from.ends_with(".gguf");
  const std::string there = folder / (gguf ? "there" : "there.gguf"), back = folder / (gguf ? "back.gguf" : "back");
  const ConvertOptions exact{.type = &f32_format};
  try {
    convert_to(from, there, exact);
  } catch (const Error& e) {
    if (e.kind() != Kind::unsupported) throw;
    GTEST_SKIP() << e.what();  // what the other kind of file cannot say is refused, and by name
  }
  const Verification first = compared(from, there);
  EXPECT_TRUE(first.verdict == Verdict::same || first.verdict == Verdict::rounding) << from << " " << first.kl_mean;
  EXPECT_LE(first.largest_difference, 1e-4 * first.largest_logit) << from;
  EXPECT_EQ(first.greedy_same, first.greedy) << from;
  EXPECT_TRUE(first.same_template && first.same_ends) << from;
  try {
    convert_to(there, back, exact);
  } catch (const Error& e) {
    if (e.kind() != Kind::unsupported) throw;
    GTEST_SKIP() << e.what();  // some architectures are read from GGUF and not written yet
  }
  const Verification second = compared(from, back);
  EXPECT_LE(second.largest_difference, 1e-4 * second.largest_logit) << from;
  EXPECT_TRUE(second.same_tokenizer && second.same_template && second.same_ends) << from;
}

std::vector<std::string> cases() {
  std::vector<std::string> all = models_in(test::data_folder() + "/models", "config.json");
  std::ranges::copy(models_in(test::data_folder() + "/gguf", ".gguf"), std::back_inserter(all));
  if (test::shared_folder().empty()) return all;
  for (const std::string& path : models_in(test::shared_folder() + "/golden/models", "config.json"))
    all.push_back(path);
  for (const std::string& path : models_in(test::shared_folder() + "/golden/gguf", ".gguf")) all.push_back(path);
  std::erase_if(all, [](const std::string& path) {
    try {
      blueprint_of(open_source(path)->config());  // architectures that are built
      return path.find("bigendian") != path.npos || path.find("-00002-of") != path.npos;
    } catch (const Error&) {
      return true;
    }
  });
  return all;
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  std::string name = std::to_string(info.index) + "_" + fs::path(info.param).filename().string();
  std::ranges::replace_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, Conversion, testing::ValuesIn(cases()), name_of);

// The round trips above skip what GGUF cannot hold: here is which of the checkpoints beside this test those are.
TEST(Convert, WhatGgufHolds) {
  const test::TemporaryFolder folder;
  std::string held;
  for (const std::string& path : models_in(test::data_folder() + "/models", "config.json")) try {
      convert_to(path, folder / (fs::path(path).filename().string() + ".gguf"));
      held += fs::path(path).filename().string() + " ";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::unsupported) << e.what();
    }
  EXPECT_EQ(held, "deepseek-v3 granitemoe llama2-gqa mamba mistral-swa mixtral qwen2 tiny-granitemoehybrid ");
}

TEST(Convert, TypesAreKeptWhereTheOtherFileHasThem) {
  const test::TemporaryFolder folder;
  const std::string from = test::data_folder() + "/gguf/llama-q8_0.gguf";
  convert_to(from, folder / "copy.gguf");
  const Gguf gguf(from);
  for (const StoredTensor& t : gguf.tensors()) {
    const Gguf copy(folder / "copy.gguf");
    const StoredTensor* same = copy.find(t.name);
    ASSERT_NE(same, nullptr) << t.name;
    EXPECT_EQ(same->type_name(), t.type_name()) << t.name;
    EXPECT_TRUE(std::ranges::equal(same->bytes, t.bytes)) << t.name;
  }
  convert_to(from, folder / "half", {.type = &f16_format});
  EXPECT_EQ(compared(from, folder / "half").greedy_same, 8);
}

// What llama.cpp insists on, and madang would read either way.
TEST(Convert, GgufHasTheShapesAndNamesOfLlamaCpp) {
  const test::TemporaryFolder folder;
  convert_to(test::data_folder() + "/models/mamba", folder / "mamba.gguf");
  const Gguf mamba(folder / "mamba.gguf");
  ASSERT_NE(mamba.find("blk.0.ssm_conv1d.weight"), nullptr);
  EXPECT_EQ(mamba.find("blk.0.ssm_conv1d.weight")->shape.size(), 2u);
  convert_to(folder / "mamba.gguf", folder / "mamba");
  EXPECT_EQ(open_source(folder / "mamba")->find("backbone.layers.0.mixer.conv1d.weight")->shape.size(), 3u);
  const Json sizes = {{"vocab_size", 8},        {"hidden_size", 8},         {"intermediate_size", 8},
                      {"num_hidden_layers", 4}, {"num_attention_heads", 2}, {"num_key_value_heads", 2},
                      {"sliding_window", 4}};
  auto config = [&](const char* type) {
    Json keys = sizes;
    keys["model_type"] = type;
    return Config(keys, type);
  };
  EXPECT_EQ(gguf_architecture(config("olmo3")), "olmo2");
  EXPECT_EQ(gguf_architecture(config("mistral")), "llama");
  // Rows of q and k lie as llama.cpp rotates them: neighbours in the Llama family and SmolLM 3, halves in Qwen.
  for (const auto& [type, paired] : {std::pair("llama", true), {"smollm3", true}, {"qwen3", false}})
    for (const Placement& p : placements(blueprint_of(config(type)).weights, Layout::gguf, config(type)))
      if (p.name == "blk.0.attn_q.weight") {
        EXPECT_EQ(p.make == unpair, paired) << type;
      }
}

// Classes of transformers that derive a key refuse to be told it; a null where they want a number is refused too.
TEST(Convert, ConfigurationsSayWhatTransformersTakes) {
  const auto checkpoint = Checkpoint::open(test::data_folder() + "/gguf/llama-q8_0.gguf", {.weights = false});
  const auto written = [&](const std::string& type, const Json& more) {
    Json keys = {{"model_type", type},     {"vocab_size", 8},          {"hidden_size", 8},
                 {"num_hidden_layers", 4}, {"num_attention_heads", 2}, {"num_key_value_heads", 2},
                 {"intermediate_size", 8}};
    keys.update(more);
    return config_json(*checkpoint, Config(keys, type), "float32", true);
  };
  EXPECT_FALSE(written("falcon", Json::object()).contains("head_dim"));
  const Json scan = {{"time_step_rank", 1}, {"mamba_dt_rank", 1}, {"num_heads", 2}, {"head_dim", 8}, {"n_groups", 1}};
  for (const char* type : {"mamba", "mamba2", "falcon_mamba", "jamba"})
    EXPECT_FALSE(written(type, scan).contains("layer_types")) << type;
  EXPECT_FALSE(written("phi3", Json::object()).contains("original_max_position_embeddings"));
  const Json full = written("exaone4", {{"sliding_window", nullptr}});
  EXPECT_TRUE(full.contains("sliding_window") && full["sliding_window"].is_null());  // 4096 where it is not said
  const Json windows = written("llama", {{"sliding_window", 4}}), none = written("llama", Json::object());
  EXPECT_EQ(windows["model_type"], "mistral");  // Llama's class passes over windows
  EXPECT_EQ(windows["architectures"], Json{"MistralForCausalLM"});
  EXPECT_EQ(none["model_type"], "llama");
  // Sizes by the names that the classes read; by others they are passed over for the class's own.
  EXPECT_TRUE(written("falcon", Json::object()).contains("ffn_hidden_size"));
  const Json gpt = {{"hidden_act", "relu"}, {"rotary_dim", 4}};
  for (const char* type : {"gpt2", "gptj"}) {
    EXPECT_EQ(written(type, gpt).value("n_inner", 0), 8) << type;
    EXPECT_EQ(written(type, gpt).value("activation_function", ""), "relu") << type;
  }
  EXPECT_TRUE(written("glm4", Json::object()).at("pad_token_id").is_null());
  EXPECT_EQ(written("mamba2", scan).value("num_heads", 0), 2);
  EXPECT_EQ(written("mamba2", scan).value("head_dim", 0), 8);
  EXPECT_FALSE(written("lfm2", Json::object()).contains("block_ffn_dim_multiplier"));
}

TEST(Convert, StoppingLeavesNoFileBehind) {
  const test::TemporaryFolder folder;
  ThreadPool pool(1);
  const auto checkpoint = Checkpoint::open(test::data_folder() + "/models/qwen2", {.weights = false});
  for (const std::string& to : {folder / "out.gguf", folder / "out"}) {
    const auto plan = plan_convert(checkpoint, to, {});
    EXPECT_THROW(convert(plan, to, pool, [](const Progress&) { return false; }), Error);
    EXPECT_TRUE(fs::is_empty(folder.path)) << to;
  }
}

TEST(Convert, AFolderMayBeWrittenOverItself) {
  const test::TemporaryFolder folder;
  const std::string to = folder / "model";
  fs::copy(test::data_folder() + "/models/qwen2", to);
  convert_to(to, to);
  EXPECT_EQ(compared(test::data_folder() + "/models/qwen2", to).verdict, Verdict::same);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), {}), 1);
}

TEST(Convert, TheSameBytesForAnyNumberOfThreads) {
  const test::TemporaryFolder folder;
  const auto checkpoint = Checkpoint::open(test::data_folder() + "/models/mixtral", {.weights = false});
  for (int threads : {1, 3}) {
    const std::string to = folder / (std::to_string(threads) + ".gguf");
    ThreadPool pool(threads);
    convert(plan_convert(checkpoint, to, {.type = format_by_name("Q8_0")}), to, pool);
  }
  EXPECT_EQ(test::read_text(folder / "1.gguf"), test::read_text(folder / "3.gguf"));
}

TEST(Verify, NamesAChangedWeight) {
  const test::TemporaryFolder folder;
  const std::string from = test::data_folder() + "/models/qwen2";
  convert_to(from, folder / "b", {.type = &f32_format});
  const auto source = open_source(folder / "b");
  std::vector<NamedTensor> tensors;
  std::vector<Buffer> kept;
  for (const StoredTensor& t : source->tensors()) {
    Shape shape;
    for (int64_t n : t.shape) shape.dim[static_cast<size_t>(shape.rank++)] = n;
    kept.emplace_back(DType::f32, shape);
    t.format->decode(t.bytes.data(), t.numel(), kept.back().f32());
    if (t.name == "model.layers.0.mlp.up_proj.weight") kept.back().f32()[7] += 40;
    tensors.push_back({t.name, kept.back().view()});
  }
  write_safetensors(folder / "b/model.safetensors", tensors);
  const Verification v = compared(from, folder / "b");
  const auto differ = std::ranges::count_if(v.tensors, [](auto& d) { return d.relative > 0; });
  EXPECT_EQ(differ, 1);
  const auto worst = std::ranges::max_element(v.tensors, {}, &TensorDifference::relative);
  EXPECT_EQ(worst->name, "model.layers.0.mlp.up_proj.weight");
  EXPECT_NEAR(worst->largest, 40, 0.1);
  EXPECT_EQ(v.verdict, Verdict::different);
  EXPECT_EQ(compared(from, from).verdict, Verdict::same);
}

TEST(Verify, RefusesModelsOfOtherSizes) {
  EXPECT_THROW(compared(test::data_folder() + "/models/qwen2", test::data_folder() + "/models/mamba"), Error);
}

// Layers 0 1 with 0:2 repeated are 0 1 0 1: each weight is the one it was made of.
TEST(Upscale, RepeatsLayers) {
  const test::TemporaryFolder folder;
  const std::string from = test::data_folder() + "/models/qwen2";
  convert_to(from, folder / "deep", {.repeat = std::pair<int64_t, int64_t>{0, 2}});
  const auto was = open_source(from), is = open_source(folder / "deep");
  EXPECT_EQ(is->config().integer("num_hidden_layers"), was->config().integer("num_hidden_layers") + 2);
  for (int layer = 0; layer < 4; ++layer) {
    const auto* a = was->find(fmt::format("model.layers.{}.mlp.up_proj.weight", layer % 2));
    const auto* b = is->find(fmt::format("model.layers.{}.mlp.up_proj.weight", layer));
    ASSERT_TRUE(a && b);
    EXPECT_TRUE(std::ranges::equal(a->bytes, b->bytes));
  }
  EXPECT_GT(Checkpoint::open(folder / "deep")->model().states().size(), 2u);
  EXPECT_THROW(convert_to(from, folder / "x", {.repeat = std::pair<int64_t, int64_t>{1, 9}}), Error);
}

}  // namespace
}  // namespace madang
