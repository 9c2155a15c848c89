// GGUF metadata and the keys of transformers that say the same: read by config_gguf.cpp, written by config_to_gguf.cpp.
#pragma once
#include <string_view>

namespace madang {

/// ARCHITECTURE.metadata -> key. A zero says "none" in GGUF and is left out.
struct GgufRow {
  const char* metadata;
  const char* key;
  bool whole;
};
inline constexpr GgufRow gguf_rows[] = {
    {"block_count", "num_hidden_layers", true},
    {"context_length", "max_position_embeddings", true},
    {"embedding_length", "hidden_size", true},
    {"feed_forward_length", "intermediate_size", true},
    {"attention.head_count", "num_attention_heads", true},
    {"attention.head_count_kv", "num_key_value_heads", true},
    {"attention.key_length", "head_dim", true},
    {"attention.sliding_window", "sliding_window", true},
    {"attention.layer_norm_rms_epsilon", "rms_norm_eps", false},
    {"attention.layer_norm_epsilon", "layer_norm_eps", false},
    {"attention.scale", "attention_multiplier", false},
    {"attn_logit_softcapping", "attn_logit_softcapping", false},
    {"final_logit_softcapping", "final_logit_softcapping", false},
    {"embedding_scale", "embedding_multiplier", false},
    {"residual_scale", "residual_multiplier", false},
    {"logit_scale", "logits_scaling", false},
    {"expert_feed_forward_length", "moe_intermediate_size", true},
    {"expert_shared_feed_forward_length", "shared_expert_intermediate_size", true},
    {"expert_count", "num_local_experts", true},
    {"expert_used_count", "num_experts_per_tok", true},
    {"expert_shared_count", "n_shared_experts", true},
    {"expert_group_count", "n_group", true},
    {"expert_group_used_count", "topk_group", true},
    {"expert_weights_scale", "routed_scaling_factor", false},
    {"leading_dense_block_count", "first_k_dense_replace", true},
    {"attention.q_lora_rank", "q_lora_rank", true},
    {"attention.kv_lora_rank", "kv_lora_rank", true},
    {"ssm.conv_kernel", "conv_kernel", true},
    {"ssm.inner_size", "intermediate_size", true},
    {"ssm.state_size", "state_size", true},
    {"ssm.time_step_rank", "time_step_rank", true},
    {"wkv.head_size", "head_size", true},
    {"time_mix_extra_dim", "time_mix_extra_dim", true},
    {"time_decay_extra_dim", "time_decay_extra_dim", true},
    {"rescale_every_n_layers", "rescale_every", true},
    {"attention.decay_lora_rank", "decay_low_rank_dim", true},
    {"attention.iclr_lora_rank", "a_low_rank_dim", true},
    {"attention.value_residual_mix_lora_rank", "v_low_rank_dim", true},
    {"attention.gate_lora_rank", "gate_low_rank_dim", true},
    {"rope.freq_base", "rope_theta", false},
    {"rope.freq_base_swa", "rope_local_base_freq", false},
};
inline constexpr GgufRow gguf_rope_rows[] = {
    {"rope.scale_linear", "factor", false},  // before 2023-11
    {"rope.scaling.factor", "factor", false},
    {"rope.scaling.original_context_length", "original_max_position_embeddings", true},
    {"rope.scaling.attn_factor", "attention_factor", false},
    {"rope.scaling.yarn_beta_fast", "beta_fast", false},
    {"rope.scaling.yarn_beta_slow", "beta_slow", false},
};

/// llama.cpp's name of an architecture, where it is not model_type.
struct GgufName {
  std::string_view gguf, model_type;
};
inline constexpr GgufName gguf_names[] = {{"gemma3", "gemma3_text"},
                                          {"qwen2moe", "qwen2_moe"},
                                          {"qwen3moe", "qwen3_moe"},
                                          {"qwen3next", "qwen3_next"},
                                          {"gpt-oss", "gpt_oss"},
                                          {"llama4", "llama4_text"},
                                          {"gptneox", "gpt_neox"},
                                          {"phi2", "phi"},
                                          {"command-r", "cohere"},
                                          {"exaone-moe", "exaone_moe"},
                                          {"glm4moe", "solar_open"},
                                          {"granitehybrid", "granitemoehybrid"},
                                          {"granitemoe", "granitemoehybrid"},
                                          {"nemotron_h_moe", "nemotron_h"}};

}  // namespace madang
