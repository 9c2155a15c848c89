// The builders that index.cpp lists: one file each.
#pragma once
#include "models/model.h"

namespace madang {

std::unique_ptr<Model> build_llama(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_rwkv4(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_rwkv5(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_rwkv6(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_rwkv7(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_xlstm(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_lfm2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_qwen3_next(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_qwen2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_mixtral(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_qwen2_moe(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_qwen3_moe(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_qwen3(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_smollm3(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_granite(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_granite_moe(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_olmo2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_exaone(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_exaone4(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_hyperclovax(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gemma(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gemma2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gemma3(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gpt2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gpt_neo(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gptj(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gpt_neox(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_falcon(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_phi(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_phi3(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_phi3_small(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_cohere(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_cohere2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_phimoe(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_gpt_oss(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_deepseek_v2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_deepseek_v3(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_solar_open(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_exaone_moe(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_glm4(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_bloom(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_starcoder2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_stablelm(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_falcon_mamba(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_jamba(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_llama4(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_mamba2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_bamba(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_granite_hybrid(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_zamba2(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_nemotron_h(const Config& config, const Scope& scope);
std::unique_ptr<Model> build_mamba(const Config& config, const Scope& scope);

}  // namespace madang
