// Every architecture, one row each.
#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"
#include "models/models.h"

namespace madang {
namespace {

constexpr Architecture known[] = {
    {"llama", "Llama", build_llama, "Llama 1 to 3.x, Code Llama, SOLAR, Kanana, SmolLM2, TinyLlama"},
    {"mistral", "Mistral", build_llama, "Mistral 7B; sliding windows on a rolling cache"},
    {"qwen2", "Qwen", build_qwen2, "Qwen 1.5, 2, 2.5; biases on q, k, v; windows by layer"},
    {"mixtral", "Mixtral", build_mixtral, "Mixtral 8x7B, 8x22B"},
    {"qwen3", "Qwen", build_qwen3, "Qwen 3, dense; norms on the heads of q and k"},
    {"qwen2_moe", "Qwen", build_qwen2_moe, "Qwen 1.5 and 2 MoE; a shared expert with a gate"},
    {"qwen3_moe", "Qwen", build_qwen3_moe, "Qwen 3 MoE"},
    {"smollm3", "SmolLM", build_smollm3, "SmolLM 3; every fourth layer without positions"},
    {"granite", "Granite", build_granite, "Granite 3, dense; four multipliers"},
    {"granitemoe", "Granite", build_granite_moe, "Granite 3 with experts"},
    {"olmo2", "OLMo", build_olmo2, "OLMo 2; norms after the sublayers"},
    {"exaone", "EXAONE", build_exaone, "EXAONE 3.0, 3.5"},
    {"exaone4", "EXAONE", build_exaone4, "EXAONE 4.0; windows with positions, full layers without"},
    {"hyperclovax", "HyperCLOVA X", build_hyperclovax, "HyperCLOVA X SEED; both norms"},
    {"gemma", "Gemma", build_gemma, "Gemma 1"},
    {"gemma2", "Gemma", build_gemma2, "Gemma 2; soft caps, windows in every second layer"},
    {"gemma3_text", "Gemma", build_gemma3, "Gemma 3 text models"},
    {"gpt2", "GPT", build_gpt2, "GPT-2; learned positions"},
    {"gpt_neo", "GPT", build_gpt_neo, "GPT-Neo; windows in every second layer"},
    {"gptj", "GPT", build_gptj, "GPT-J"},
    {"gpt_neox", "GPT", build_gpt_neox, "GPT-NeoX, Pythia, Polyglot-Ko"},
    {"falcon", "Falcon", build_falcon, "Falcon 7B, 40B, 180B, 2-11B, RW"},
    {"phi", "Phi", build_phi, "Phi-1.5, Phi-2"},
    {"phi3", "Phi", build_phi3, "Phi-3, Phi-4, Phi-4-mini; longrope"},
    {"phi3small", "Phi", build_phi3_small, "Phi-3-small; block-sparse attention in every second layer"},
    {"cohere", "Command", build_cohere, "Command R, R+"},
    {"cohere2", "Command", build_cohere2, "Command R7B; windows with positions, full layers without"},
    {"phimoe", "Phi", build_phimoe, "Phi-3.5-MoE; experts chosen by SparseMixer"},
    {"gpt_oss", "gpt-oss", build_gpt_oss, "gpt-oss 20B, 120B; attention sinks"},
    {"deepseek_v2", "DeepSeek", build_deepseek_v2, "DeepSeek V2, V2-Lite, Coder-V2; latent attention"},
    {"deepseek_v3", "DeepSeek", build_deepseek_v3, "DeepSeek V3, R1"},
    {"solar_open", "Solar", build_solar_open, "Solar Open; experts as in DeepSeek V3"},
    {"exaone_moe", "EXAONE", build_exaone_moe, "EXAONE MoE"},
    {"glm4", "GLM", build_glm4, "GLM-4; norms before and after the sublayers"},
    {"olmo3", "OLMo", build_olmo2, "OLMo 3; OLMo 2 with windows"},
    {"bloom", "BLOOM", build_bloom, "BLOOM; linear biases"},
    {"starcoder2", "StarCoder", build_starcoder2, "StarCoder 2"},
    {"stablelm", "StableLM", build_stablelm, "StableLM 2 1.6B, 3B"},
    {"falcon_mamba", "Mamba", build_falcon_mamba, "Falcon Mamba"},
    {"jamba", "Jamba", build_jamba, "Jamba; Mamba and attention, experts"},
    {"llama4_text", "Llama", build_llama4, "Llama 4 text; chunked attention, layers without positions, experts"},
    {"mamba", "Mamba", build_mamba, "Mamba 1"},
    {"rwkv", "RWKV", build_rwkv4, "RWKV-4"},
    {"xlstm", "xLSTM", build_xlstm, "xLSTM 7B; matrix memories behind exponential gates"},
    {"lfm2", "LFM", build_lfm2, "LFM2; short convolutions and attention"},
    {"qwen3_next", "Qwen", build_qwen3_next, "Qwen3-Next; gated delta rule and gated attention, experts"},
    {"rwkv5", "RWKV", build_rwkv5, "RWKV-5.2, Eagle"},
    {"rwkv6", "RWKV", build_rwkv6, "RWKV-6, Finch"},
    {"rwkv7", "RWKV", build_rwkv7, "RWKV-7, Goose"},
    {"mamba2", "Mamba", build_mamba2, "Mamba 2, Codestral Mamba"},
    {"bamba", "Bamba", build_bamba, "Bamba; Mamba-2 and attention"},
    {"granitemoehybrid", "Granite", build_granite_hybrid, "Granite 4; Mamba-2 and attention, experts or not"},
    {"zamba2", "Zamba", build_zamba2, "Zamba 2; Mamba-2 and shared attention with adapters"},
    {"nemotron_h", "Nemotron", build_nemotron_h, "Nemotron-H, Nemotron 3; Mamba-2, attention, MLP, experts by layer"},
};

}  // namespace

std::span<const Architecture> architectures() { return known; }

Tensor Model::hidden(Ctx&, const Step&) const {
  throw Error(Kind::unsupported, say("this model shows no hidden states"));
}

std::unique_ptr<Model> build_model(const Config& config, const Scope& scope) {
  std::vector<std::string_view> names;
  for (const Architecture& row : known) {
    if (row.name == config.architecture()) return row.build(config, scope);
    names.push_back(row.name);
  }
  throw Error(Kind::unsupported, say("madang does not know the architecture {}", config.architecture()))
      .hint(say("the nearest known one is {}", nearest(config.architecture(), names)));
}

Blueprint blueprint_of(const Config& config) {
  const WeightStore store(config);
  const auto model = build_model(config, store.root());
  return {store.named(), model->states()};
}

}  // namespace madang
