// Every age of configuration means the same.
#include "store/config.h"

#include <fstream>

#include "base/error.h"
#include "store/build.h"
#include "store/gguf.h"
#include "support.h"

namespace madang::test {
namespace {

Config of(const char* text) { return Config(Json::parse(text), "test"); }

constexpr const char* small =
    R"("hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 5, "intermediate_size": 6)";

Config with(const std::string& model_type, const std::string& more) {
  return of(
      fmt::format(R"({{"model_type": "{}", {}{}{}}})", model_type, small, more.empty() ? "" : ", ", more).c_str());
}

std::string types(const Config& c) {
  std::string letters;
  for (const std::string& type : c.layer_types())
    letters += type == "sliding_attention" ? 's' : type == "full_attention" ? 'f' : '?';
  return letters;
}

TEST(Config, WhatTheFileLeavesUnsaid) {
  const Config c = with("llama", "");
  EXPECT_EQ(c.integer("head_dim"), 4);
  EXPECT_EQ(c.integer("num_key_value_heads"), 2);
  EXPECT_EQ(c.real("rms_norm_eps"), 1e-6);
  EXPECT_EQ(c.rope().theta, 10000);
  EXPECT_EQ(c.rope("full_attention").type, "default");
  EXPECT_FALSE(c.flag("tie_word_embeddings"));
  EXPECT_FALSE(c.has("sliding_window"));
  EXPECT_EQ(with("mixtral", "").rope().theta, 1e6);
  EXPECT_EQ(with("gemma3_text", "").integer("rms_norm_offset"), 1);
  EXPECT_EQ(of(R"({"model_type": "mamba", "hidden_size": 40, "num_hidden_layers": 2})").integer("time_step_rank"), 3);
  EXPECT_EQ(of(R"({"model_type": "mamba", "hidden_size": 40, "num_hidden_layers": 2})").integer("intermediate_size"),
            80);
}

TEST(Config, Mamba2UnderEveryName) {
  auto kinds = [](const Config& c) {
    std::string letters;
    for (const std::string& type : c.layer_types()) letters += type[0];
    return letters;
  };
  const Config plain = of(R"({"model_type": "mamba2", "hidden_size": 24, "num_hidden_layers": 2, "num_heads": 6,
      "head_dim": 8, "n_groups": 3, "state_size": 5, "time_step_limit": [0.5, {"__float__": "Infinity"}]})");
  EXPECT_EQ(plain.integer("mamba_n_heads"), 6);
  EXPECT_EQ(plain.integer("mamba_n_groups"), 3);
  EXPECT_EQ(plain.integer("mamba_d_state"), 5);
  EXPECT_EQ(plain.real("time_step_least"), 0.5);
  EXPECT_FALSE(plain.has("time_step_most"));
  EXPECT_FALSE(plain.has("num_attention_heads"));
  const Config bamba = with("bamba", R"("attn_layer_indices": [1], "mamba_n_heads": 4, "time_step_limit": [0, 2])");
  EXPECT_EQ(kinds(bamba), "lfl");
  EXPECT_EQ(bamba.integer("mamba_d_head"), 4);
  EXPECT_EQ(bamba.real("time_step_most"), 2);
  EXPECT_EQ(bamba.rope("full_attention").partial_rotary_factor, 0.5);
  EXPECT_EQ(kinds(with("nemotron_h", R"("hybrid_override_pattern": "M-*E")")), "lmfm");
  EXPECT_EQ(with("nemotron_h", R"("hybrid_override_pattern": "M-*E")").integer("num_hidden_layers"), 4);
  EXPECT_EQ(
      kinds(with("granitemoehybrid", R"("mamba_n_heads": 2, "layers_block_type": ["mamba", "attention", "mamba"])")),
      "lfl");
  const Config nemotron =
      with("nemotron_h", R"("use_bias": true, "mamba_proj_bias": false, "tie_word_embeddings": true)");
  EXPECT_TRUE(nemotron.flag("mamba_proj_bias"));
  EXPECT_FALSE(nemotron.flag("tie_word_embeddings"));
  EXPECT_EQ(with("zamba2", R"("layers_block_type": ["mamba", "hybrid", "mamba"])").integer("head_dim"), 8);
  EXPECT_THROW(with("zamba2", R"("layers_block_type": ["mamba", "moe", "mamba"])"), Error);
  EXPECT_THROW(with("nemotron_h", R"("hybrid_override_pattern": "MX")"), Error);
  EXPECT_EQ(with("exaone_moe", R"("sliding_window": 4)").keys().at("mlp_layer_types"),
            Json({"dense", "sparse", "sparse"}));
  EXPECT_EQ(with("exaone_moe", R"("mlp_layer_types": ["dense", "dense", "sparse"])").integer("first_k_dense_replace"),
            2);
  for (const char* types : {R"("sparse")", R"(["sparse"])", R"(["dense", "sparse", "none"])", R"([1, 2, 3])"})
    EXPECT_THROW(with("exaone_moe", (std::string("\"mlp_layer_types\": ") + types).c_str()), Error) << types;
  EXPECT_THROW(with("bamba", R"("mamba_n_heads": 3)"), Error);
  EXPECT_THROW(with("bamba", R"("mamba_n_heads": 4, "time_step_limit": [2, 1])"), Error);
}

TEST(Config, InfinityAsPythonWritesIt) {
  TemporaryFolder folder;
  const std::string path = folder / "config.json";
  std::ofstream(path) << R"({"model_type": "mamba2", "num_hidden_layers": 2, "note": "\"NaN, Infinity",
      "time_step_limit": [-Infinity, Infinity], "other": NaN})";
  const Config c = read_config(path);
  EXPECT_EQ(c.real("time_step_least"), 0);
  EXPECT_FALSE(c.has("time_step_most"));
  EXPECT_EQ(c.text("note"), "\"NaN, Infinity");
}

TEST(Config, WindowsOfEveryAge) {
  EXPECT_EQ(types(with("mistral", R"("sliding_window": 8)")), "sss");
  EXPECT_EQ(types(with("mistral", "")), "sss");  // 4096 where the file is silent
  EXPECT_EQ(types(with("mistral", R"("sliding_window": null)")), "fff");
  EXPECT_EQ(types(with("mixtral", "")), "fff");
  EXPECT_EQ(types(with("qwen2", R"("sliding_window": 8, "use_sliding_window": false, "max_window_layers": 1)")), "fff");
  EXPECT_EQ(types(with("qwen2", R"("sliding_window": 8, "use_sliding_window": true, "max_window_layers": 1)")), "fss");
  EXPECT_EQ(types(with("qwen2", R"("sliding_window": 8, "use_sliding_window": true, "max_window_layers": 0)")), "sss");
  EXPECT_EQ(types(with("smollm3", R"("sliding_window": 8, "use_sliding_window": true, "no_rope_layers": [1, 0, 1])")),
            "fsf");
  EXPECT_EQ(types(with("qwen2_moe", R"("sliding_window": 8, "use_sliding_window": true, "max_window_layers": 2)")),
            "sff");
  EXPECT_EQ(types(with("qwen3_moe", R"("sliding_window": 8, "use_sliding_window": true, "max_window_layers": 2)")),
            "sss");
  EXPECT_EQ(types(with("gemma3_text", R"("sliding_window_pattern": 3)")), "ssf");
  EXPECT_EQ(types(with("gemma3_text", R"("_sliding_window_pattern": 6, "sliding_window_pattern": 2)")), "sfs");
  EXPECT_EQ(types(with("gemma3_text", R"("layer_types": ["full_attention", "sliding_attention", "full_attention"])")),
            "fsf");
}

TEST(Config, RopeOfEveryAge) {
  EXPECT_EQ(with("llama", R"("partial_rotary_factor": 0.5)").rope().partial_rotary_factor, 1);  // its class ignores it
  EXPECT_EQ(with("glm4", R"("partial_rotary_factor": 0.5)").rope().partial_rotary_factor, 0.5);
  const Config older = with("llama", R"("rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4})");
  const Config newer = with("llama", R"("rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 4})");
  for (const Config& c : {older, newer}) {
    EXPECT_EQ(c.rope().type, "linear");
    EXPECT_EQ(c.rope().theta, 5e5);
    EXPECT_EQ(c.rope().factor, 4);
  }
  const Config yarn = with(
      "qwen2",
      R"("rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 128, "beta_fast": 16, "attention_factor": 1.5, "truncate": false})");
  EXPECT_EQ(yarn.rope().original_max_position_embeddings, 128);
  EXPECT_EQ(yarn.rope().beta_fast, 16);
  EXPECT_EQ(yarn.rope().attention_factor, 1.5);
  EXPECT_FALSE(yarn.rope().truncate);
  const Config gemma =
      with("gemma3_text",
           R"("rope_theta": 1e6, "rope_local_base_freq": 1e4, "rope_scaling": {"rope_type": "linear", "factor": 8})");
  EXPECT_EQ(gemma.rope("full_attention").factor, 8);
  EXPECT_EQ(gemma.rope("full_attention").theta, 1e6);
  EXPECT_EQ(gemma.rope("sliding_attention").factor, 1);
  EXPECT_EQ(gemma.rope("sliding_attention").theta, 1e4);
  EXPECT_EQ(gemma.rope().theta, 1e6);
  EXPECT_EQ(
      with(
          "phi3",
          R"("max_position_embeddings": 64, "original_max_position_embeddings": 16, "rope_scaling": {"type": "su", "long_factor": [1, 2], "short_factor": [1, 1]})")
          .rope()
          .factor,
      4);
}

TEST(Config, RefusesWhatCannotBe) {
  const char* bad[] = {
      R"([1])",
      R"({})",
      R"({"model_type": 5})",
      R"({"model_type": "a\u001b[31m"})",
      R"({"model_type": "llama", "hidden_size": -8})",
      R"({"model_type": "llama", "hidden_size": 1e30})",
      R"({"model_type": "llama", "hidden_size": 18446744073709551615})",
      R"({"model_type": "llama", "hidden_size": "8"})",
      R"({"model_type": "llama", "hidden_size": 8.5})",
      R"({"model_type": "llama", "num_hidden_layers": 9223372036854775807})",
      R"({"model_type": "llama", "num_hidden_layers": 0})",
      R"({"model_type": "llama", "num_attention_heads": 0, "hidden_size": 8})",
      R"({"model_type": "llama", "num_attention_heads": 3, "hidden_size": 8})",
      R"({"model_type": "llama", "vocab_size": 0})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "rope_theta": -1})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "rope_theta": "x"})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "rope_scaling": {"type": "spiral"}})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "rope_scaling": {"type": "linear", "factor": 0}})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "rope_scaling": [1]})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "rope_parameters": {"full_attention": {"rope_type": 7}}})",
      R"({"model_type": "qwen2", "num_hidden_layers": 2, "rope_parameters": {}})",
      R"({"model_type": "llama", "num_hidden_layers": 2, "layer_types": ["full_attention"]})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "layer_types": [1]})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "layer_types": "full"})",
      R"({"model_type": "qwen2", "num_hidden_layers": 1, "use_sliding_window": "yes"})",
      R"({"model_type": "mistral", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8, "sliding_window": 0})",
      R"({"model_type": "gemma3_text", "sliding_window_pattern": 0})",
      R"({"model_type": "llama", "rms_norm_eps": -1})",
      R"({"model_type": "llama", "num_hidden_layers": 1, "layer_types": ["sliding_attention"]})",
      R"({"text_config": 5, "model_type": "gemma3"})",
      R"({"model_type": "smollm3", "no_rope_layer_interval": 0})",
  };
  for (const char* text : bad) {
    try {
      of(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.place(), "test") << text;
    }
  }
  const Config c = with("llama", R"("eos_token_id": [1, 2])");
  EXPECT_EQ(c.integers("eos_token_id"), (std::vector<int64_t>{1, 2}));
  EXPECT_THROW(c.integer("eos_token_id"), Error);
  EXPECT_THROW(c.integer("nothing"), Error);
  EXPECT_THROW(c.flag("hidden_size"), Error);
  EXPECT_THROW(c.text("hidden_size"), Error);
}

TEST(Config, OfGguf) {
  TemporaryFolder folder;
  write_file(folder / "a.gguf", tiny_llama_gguf().bytes());
  const Config c = open_source(folder / "a.gguf")->config();
  EXPECT_EQ(c.architecture(), "llama");
  EXPECT_EQ(c.integer("vocab_size"), 5);
  EXPECT_EQ(c.integer("head_dim"), 4);
  EXPECT_EQ(c.integer("rms_norm_offset"), 0);
  EXPECT_FALSE(c.flag("tie_word_embeddings"));
  EXPECT_EQ(c.text("source_format"), "gguf");
}

// Two styles of one case must normalise to the same keys, apart from what only one style has words for.
TEST(Config, BothStylesOfEveryGoldenModelMeanTheSame) {
  const std::string shared = shared_folder();
  if (shared.empty()) GTEST_SKIP() << "no shared folder";
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared + "/golden/models")) {
    if (!std::filesystem::exists(entry.path() / "config.old.json")) continue;
    const Config newer = read_config(entry.path().string()),
                 older = read_config((entry.path() / "config.old.json").string());
    Json a = newer.keys(), b = older.keys();
    for (Json* keys : {&a, &b})
      for (const char* ignored : {"transformers_version"}) keys->erase(ignored);
    const std::string name = entry.path().filename().string();
    const bool ours = name.starts_with("llama") || name.starts_with("mi") || name.starts_with("gemma3") ||
                      name.starts_with("qwen") || name == "codellama" || name == "solar" || name == "kanana";
    const bool theirs_later = name == "llama4-text" || name.starts_with("qwen2-moe") || name.starts_with("qwen3");
    const auto difference = nlohmann::json::diff(nlohmann::json(a), nlohmann::json(b));
    if (ours && !theirs_later)
      EXPECT_TRUE(difference.empty()) << name << " " << difference;
    else if (!difference.empty())
      std::cout << name << " (an architecture to come): " << difference.dump().substr(0, 300) << "\n";
    ++compared;
  }
  EXPECT_GT(compared, 60);
}

TEST(Config, EveryRealConfigOfTheseFamiliesReads) {
  const std::string shared = shared_folder();
  if (shared.empty()) GTEST_SKIP() << "no shared folder";
  for (const auto& entry : std::filesystem::directory_iterator(shared + "/real/configs")) {
    const std::string name = entry.path().filename().string();
    try {
      const Config c = read_config(entry.path().string());
      EXPECT_FALSE(c.architecture().empty());
    } catch (const Error& error) {
      const std::string type = read_json(entry.path().string()).value("model_type", "");
      const bool ours =
          type == "llama" || type == "mistral" || type == "mixtral" || type == "qwen2" || type.starts_with("gemma3");
      if (ours)
        ADD_FAILURE() << name << ": " << error.what();
      else
        std::cout << name << ": " << error.what() << "\n";
    }
  }
}

}  // namespace
}  // namespace madang::test
