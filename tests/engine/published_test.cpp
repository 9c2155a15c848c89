// Parameter counts of configurations alone against what the makers published: totals and, of mixtures, active ones.
#include <cmath>

#include "base/error.h"
#include "engine/parameters.h"
#include "store/config.h"
#include "support.h"

namespace madang {
namespace {

struct Published {
  const char* file;
  double total, active;  ///< in billions, as published; active 0: not looked at
  double step;           ///< of the last digit published
  const char* source;
};

// The files are those of the repositories on Hugging Face; where a paper has a table, it is named.
constexpr Published published[] = {
    {"Mixtral-8x7B-v0.1", 46.7, 12.9, 0.1,
     "mistral.ai/news/mixtral-of-experts, 2023-12-11: 46.7B total, 12.9B per token"},
    {"qwen2moe", 14.3, 2.7, 0.1, "Qwen1.5-MoE-A2.7B's model card: 14.3B in total, 2.7B activated"},
    {"deepseek_v2_lite", 15.7, 0, 0.1,
     "DeepSeek-V2 (arXiv 2405.04434), appendix B: 15.7B (15.75 here, where q_lora_rank: null is missing)"},
    {"Llama-3.1-8B-Instruct", 8.03, 0, 0.01, "repository's count of its safetensors: 8.03B"},
    {"llama3_1_70b", 70.6, 0, 0.1, "repository's count of its safetensors: 70.6B"},
    {"llama3_2_1b", 1.24, 0, 0.01, "repository's count of its safetensors: 1.24B"},
    {"llama3_2_3b", 3.21, 0, 0.01, "Llama 3.2's model card: 3.21B"},
    {"llama2_7b", 6.74, 0, 0.01, "repository's count of its safetensors: 6.74B"},
    {"llama2_13b", 13.0, 0, 0.1, "repository's count of its safetensors: 13B"},
    {"llama2_70b", 69.0, 0, 0.1, "repository's count of its safetensors: 69B"},
    {"codellama_7b", 6.74, 0, 0.01, "repository's count of its safetensors: 6.74B"},
    {"codellama_13b", 13.0, 0, 0.1, "repository's count of its safetensors: 13B"},
    {"codellama_34b", 33.7, 0, 0.1, "repository's count of its safetensors: 33.7B"},
    {"mistral_7b", 7.24, 0, 0.01, "repository's count of its safetensors: 7.24B"},
    {"Mistral-7B-Instruct-v0.3", 7.25, 0, 0.01, "repository's count of its safetensors: 7.25B"},
    {"Qwen2.5-7B-Instruct", 7.62, 0, 0.01, "repository's count of its safetensors: 7.62B"},
    {"qwen2.5_3b", 3.09, 0, 0.01, "Qwen2.5's model card: 3.09B"},
    {"qwen2_0_5b", 0.49, 0, 0.01, "Qwen2.5-0.5B's model card, the same sizes: 0.49B"},
    {"qwen2_1_5b", 1.54, 0, 0.01, "Qwen2.5-1.5B's model card, the same sizes: 1.54B"},
    {"qwen2_7b", 7.62, 0, 0.01, "repository's count of its safetensors: 7.62B"},
    {"qwen3_0.6b", 0.6, 0, 0.1, "Qwen3-0.6B's model card: 0.6B"},
    {"qwen3_1.7b", 1.7, 0, 0.1, "Qwen3-1.7B's model card: 1.7B"},
    {"gemma_2b", 2.506, 0, 0.001, "Gemma (arXiv 2403.08295), table 2: 524,550,144 and 1,981,884,416"},
    {"gemma2_2b", 2.614, 0, 0.001, "Gemma 2 (arXiv 2408.00118), table 2: 590,118,912 and 2,024,517,888, less 0.3 M"},
    {"gemma2_9b", 9.242, 0, 0.001, "Gemma 2 (arXiv 2408.00118), table 2: 917,962,752 and 8,324,201,984, less 0.5 M"},
    {"gemma2_27b", 27.227, 0, 0.001,
     "Gemma 2 (arXiv 2408.00118), table 2: 1,180,237,824 and 26,047,480,320, less 0.6 M"},
    {"gemma2_2b-jpn", 2.61, 0, 0.01, "repository's count of its safetensors: 2.61B"},
    {"gemma3_1b_it", 1.0, 0, 0.01, "Gemma 3 (arXiv 2503.19786), table 1: 302M and 698M"},
    {"gpt2", 0.124, 0, 0.001, "openai-community/gpt2's model card: 124M"},
    {"gpt2_medium", 0.355, 0, 0.001, "openai-community/gpt2-medium's model card: 355M"},
    {"gpt_j", 6.05, 0, 0.01, "EleutherAI/gpt-j-6b's model card: 6B; 6.05B with biases"},
    {"redpajama_3b_v1", 2.8, 0, 0.1, "RedPajama-INCITE-Base-3B's model card: 2.8B"},
    {"phi-1_5", 1.42, 0, 0.01, "repository's count of its safetensors: 1.42B"},
    {"phi-2", 2.78, 0, 0.01, "repository's count of its safetensors: 2.78B"},
    {"phi-3_5", 3.8, 0, 0.1, "Phi-3.5-mini's model card: 3.8B"},
    {"phi-4", 14.7, 0, 0.1, "repository's count of its safetensors: 14.7B"},
    {"aya-23", 8.03, 0, 0.01, "repository's count of its safetensors: 8.03B"},
    {"olmo2_7b", 7.3, 0, 0.1, "repository's count of its safetensors: 7.3B"},
    {"olmo2_13b", 13.7, 0, 0.1, "repository's count of its safetensors: 13.7B"},
    {"olmo2_32b", 32.2, 0, 0.1, "repository's count of its safetensors: 32.2B"},
    {"EXAONE-4.0-32B", 32.0, 0, 0.1, "repository's count of its safetensors: 32B"},
    {"stablelm", 2.795, 0, 0.001, "StableLM-3B-4E1T's model card: 2,795,443,200"},
    {"stablelm-2-zephyr-1_6b", 1.645, 0, 0.001, "StableLM 2 1.6B's model card: 1,644,417,024 and 98,304 biases"},
    {"starcoder2", 7.17, 0, 0.01, "repository's count of its safetensors: 7.17B"},
    {"rwkv5_3b", 3.06, 0, 0.01, "Eagle and Finch (arXiv 2404.05892), table 2: Eagle 3B, 3.06 x 10^9"},
    {"smollm2_135m", 0.135, 0, 0.001, "repository's count of its safetensors: 135M"},
    {"smollm2_360m", 0.362, 0, 0.001, "repository's count of its safetensors: 362M"},
    {"smollm_135m", 0.135, 0, 0.001, "repository's count of its safetensors: 135M"},
    {"smollm_360m", 0.362, 0, 0.001, "repository's count of its safetensors: 362M"},
    {"smollm_1_7b", 1.71, 0, 0.01, "repository's count of its safetensors: 1.71B"},
    {"tinyllama_1b_chat_v1.0", 1.10, 0, 0.01, "repository's count of its safetensors: 1.1B"},
    {"tinyllama_1b_chat_v0.4", 1.10, 0, 0.01, "repository's count of its safetensors: 1.1B"},
};

Parameters counted(const Config& config) { return count_parameters(blueprint_of(config), config); }

TEST(Published, Counts) {
  if (test::shared_folder().empty()) GTEST_SKIP() << "needs the outside configurations";
  for (const Published& p : published) {
    const Parameters n = counted(read_config(test::shared_folder() + "/real/configs/" + p.file + ".json"));
    EXPECT_NEAR(static_cast<double>(n.total) / 1e9, p.total, 0.51 * p.step) << p.file << ": " << p.source;
    if (p.active > 0) {
      EXPECT_NEAR(static_cast<double>(n.active) / 1e9, p.active, 0.51 * p.step) << p.file;
    }
  }
}

// Written from the papers' tables of sizes, so that the counts are held without outside files too.
TEST(Published, CountsFromSizesAlone) {
  const Config mixtral(Json{{"model_type", "mixtral"},
                            {"vocab_size", 32000},
                            {"hidden_size", 4096},
                            {"intermediate_size", 14336},
                            {"num_hidden_layers", 32},
                            {"num_attention_heads", 32},
                            {"num_key_value_heads", 8},
                            {"num_local_experts", 8},
                            {"num_experts_per_tok", 2},
                            {"sliding_window", nullptr}},
                       "mixtral");
  EXPECT_EQ(counted(mixtral).total, 46702792704);
  EXPECT_EQ(counted(mixtral).active, 12879925248);
  const Config v3(Json{{"model_type", "deepseek_v3"}, {"rope_scaling", nullptr}}, "v3");  // transformers' defaults
  EXPECT_NEAR(static_cast<double>(counted(v3).total) / 1e9, 671, 0.5);                    // arXiv 2412.19437: 671B
  EXPECT_NEAR(static_cast<double>(counted(v3).active) / 1e9, 37, 0.6);                    // 37B
  // DeepSeek-V2-Lite (arXiv 2405.04434, appendix B): 15.7B, and 2.4B active, the head among them but not the table of
  // embeddings, of which a token reads one row. Mistral counts both, and so does madang.
  const Config lite(Json{{"model_type", "deepseek_v2"},
                         {"vocab_size", 102400},
                         {"hidden_size", 2048},
                         {"intermediate_size", 10944},
                         {"moe_intermediate_size", 1408},
                         {"num_hidden_layers", 27},
                         {"num_attention_heads", 16},
                         {"num_key_value_heads", 16},
                         {"q_lora_rank", nullptr},
                         {"kv_lora_rank", 512},
                         {"qk_nope_head_dim", 128},
                         {"qk_rope_head_dim", 64},
                         {"v_head_dim", 128},
                         {"n_routed_experts", 64},
                         {"n_shared_experts", 2},
                         {"num_experts_per_tok", 6},
                         {"first_k_dense_replace", 1},
                         {"rope_scaling", nullptr}},
                    "lite");
  EXPECT_EQ(counted(lite).total, 15706484224);
  EXPECT_NEAR(static_cast<double>(counted(lite).active - 102400 * 2048) / 1e9, 2.4, 0.06);
  const Config gpt2(Json{{"model_type", "gpt2"}}, "gpt2");
  EXPECT_EQ(counted(gpt2).total, 124439808);
}

TEST(Published, UnknownArchitecturesAreNamedWithTheNearest) {
  const struct {
    const char *type, *nearest;
  } cases[] = {{"qwen2_5_vl", "qwen2"}, {"deepseek", "deepseek_v2"}, {"phi3_v", "phi3"}, {"lama", "llama"}};
  for (const auto& c : cases) {
    try {
      counted(Config(Json{{"model_type", c.type}, {"num_hidden_layers", 2}}, "x"));
      FAIL() << c.type;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::unsupported);
      EXPECT_NE(std::string(e.what()).find(c.type), std::string::npos);
      EXPECT_NE(std::string(e.what()).find(c.nearest), std::string::npos) << e.what();
    }
  }
}

TEST(Published, AnAbsurdConfigurationIsRefusedQuickly) {
  const Config absurd(Json{{"model_type", "mixtral"},
                           {"vocab_size", 2},
                           {"hidden_size", 2},
                           {"intermediate_size", 2},
                           {"num_hidden_layers", 4096},
                           {"num_attention_heads", 1},
                           {"num_key_value_heads", 1},
                           {"num_local_experts", 16384},
                           {"num_experts_per_tok", 1}},
                      "absurd");
  EXPECT_THROW(counted(absurd), Error);
}

// What the shapes say is what a real file holds.
TEST(Published, BlueprintsAreTheFilesOwnCounts) {
  for (const char* name : {"llama", "mamba"}) {
    const std::string path = test::data_folder() + "/models/" + name;
    if (!std::filesystem::exists(path)) continue;
    const auto source = open_source(path);
    const Config config = source->config();
    EXPECT_EQ(counted(config).total, count_parameters(*source, config).total) << path;
  }
}

}  // namespace
}  // namespace madang
