// What an architecture's configuration class in transformers 5 assumes where config.json is silent, and how it arranges
// its windows. One row each; a null says that the key is absent unless the file gives it.
#include "store/config_keys.h"

namespace madang {
namespace {

struct Row {
  std::string_view model_type;
  const char* keys;
};

constexpr Row rows[] = {
    {"llama", R"({"max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false,
      "mlp_bias": false, "tie_word_embeddings": false, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2})"},
    {"mistral", R"({"max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "hidden_act": "silu",
      "num_key_value_heads": 8, "sliding_window": 4096, "tie_word_embeddings": false, "rope_theta": 10000.0,
      "bos_token_id": 1, "eos_token_id": 2})"},
    {"mixtral", R"({"max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "hidden_act": "silu",
      "num_key_value_heads": 8, "num_experts_per_tok": 2, "num_local_experts": 8, "tie_word_embeddings": false,
      "rope_theta": 1000000.0, "bos_token_id": 1, "eos_token_id": 2})"},
    {"qwen2",
     R"({"max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "hidden_act": "silu", "use_sliding_window": false,
      "sliding_window": 4096, "max_window_layers": 28, "tie_word_embeddings": false, "rope_theta": 10000.0})"},
    {"gemma3_text", R"({"vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
      "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072,
      "rms_norm_eps": 1e-6, "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 256,
      "sliding_window": 4096, "sliding_window_pattern": 6, "attention_bias": false, "tie_word_embeddings": true,
      "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rms_norm_offset": 1, "bos_token_id": 2,
      "eos_token_id": 1})"},
    {"mamba", R"({"vocab_size": 50280, "state_size": 16, "conv_kernel": 4, "expand": 2, "layer_norm_epsilon": 1e-5,
      "time_step_rank": "auto", "use_bias": false, "use_conv_bias": true, "hidden_act": "silu",
      "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 0})"},
    {"qwen3", R"({"max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false,
      "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28, "num_key_value_heads": 32,
      "head_dim": 128, "tie_word_embeddings": false, "rope_theta": 10000.0})"},
    {"qwen2_moe", R"({"max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "hidden_act": "silu",
      "use_sliding_window": false, "sliding_window": 4096, "max_window_layers": 28, "tie_word_embeddings": false,
      "rope_theta": 10000.0, "decoder_sparse_step": 1, "moe_intermediate_size": 1408, "num_experts_per_tok": 4,
      "shared_expert_intermediate_size": 5632, "norm_topk_prob": false})"},
    {"qwen3_moe",
     R"({"max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false,
      "use_sliding_window": false, "sliding_window": 4096, "tie_word_embeddings": false, "rope_theta": 10000.0,
      "decoder_sparse_step": 1, "moe_intermediate_size": 768, "num_experts_per_tok": 8, "norm_topk_prob": false})"},
    {"smollm3",
     R"({"max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "hidden_act": "silu", "num_key_value_heads": 4,
      "attention_bias": false, "mlp_bias": false, "use_sliding_window": false, "no_rope_layer_interval": 4,
      "tie_word_embeddings": true, "rope_theta": 2000000.0})"},
    {"granite",
     R"({"max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "hidden_act": "silu", "attention_bias": false,
      "mlp_bias": false, "tie_word_embeddings": false, "rope_theta": 10000.0, "embedding_multiplier": 1.0,
      "residual_multiplier": 1.0, "attention_multiplier": 1.0, "logits_scaling": 1.0})"},
    {"exaone", R"({"max_position_embeddings": 2048, "layer_norm_epsilon": 1e-5, "hidden_act": "silu",
      "tie_word_embeddings": false, "rope_theta": 10000.0})"},
    {"exaone4",
     R"({"max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "hidden_act": "silu", "num_key_value_heads": 32,
      "tie_word_embeddings": false, "rope_theta": 10000.0})"},
    {"hyperclovax", R"({"max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "hidden_act": "silu",
      "attention_bias": false, "mlp_bias": false, "tie_word_embeddings": false, "rope_theta": 10000.0})"},
    {"gpt2", R"({"vocab_size": 50257, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
      "max_position_embeddings": 1024, "layer_norm_epsilon": 1e-5, "hidden_act": "gelu_new", "intermediate_factor": 4,
      "scale_attn_weights": true, "scale_attn_by_inverse_layer_idx": false, "tie_word_embeddings": true, "bos_token_id": 50256,
      "eos_token_id": 50256})"},
    {"gpt_neo", R"({"vocab_size": 50257, "hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16,
      "max_position_embeddings": 2048, "layer_norm_epsilon": 1e-5, "hidden_act": "gelu_new",
      "intermediate_factor": 4, "window_size": 256, "attention_types": [[["global", "local"], 12]], "tie_word_embeddings": true, "bos_token_id": 50256,
      "eos_token_id": 50256})"},
    {"gptj", R"({"vocab_size": 50400, "hidden_size": 4096, "num_hidden_layers": 28, "num_attention_heads": 16,
      "max_position_embeddings": 2048, "intermediate_factor": 4, "rotary_dim": 64, "layer_norm_epsilon": 1e-5, "hidden_act": "gelu_new",
      "tie_word_embeddings": false, "bos_token_id": 50256, "eos_token_id": 50256})"},
    {"gpt_neox", R"({"vocab_size": 50432, "hidden_size": 6144, "num_hidden_layers": 44, "num_attention_heads": 64,
      "intermediate_size": 24576, "hidden_act": "gelu", "max_position_embeddings": 2048, "layer_norm_eps": 1e-5,
      "use_parallel_residual": true, "attention_bias": true, "tie_word_embeddings": false, "rope_theta": 10000.0,
      "partial_rotary_factor": 0.25, "bos_token_id": 0, "eos_token_id": 2})"},
    {"falcon", R"({"vocab_size": 65024, "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
      "max_position_embeddings": 2048, "layer_norm_epsilon": 1e-5, "hidden_act": "gelu", "alibi": false,
      "new_decoder_architecture": false, "intermediate_factor": 4, "multi_query": true, "parallel_attn": true, "bias": false,
      "tie_word_embeddings": true, "rope_theta": 10000.0, "bos_token_id": 11, "eos_token_id": 11})"},
    {"phi", R"({"vocab_size": 51200, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 24,
      "num_attention_heads": 32, "hidden_act": "gelu_new", "max_position_embeddings": 2048, "layer_norm_eps": 1e-5,
      "qk_layernorm": false, "tie_word_embeddings": false, "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
      "bos_token_id": 1, "eos_token_id": 2})"},
    {"phi3", R"({"vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
      "num_attention_heads": 32, "hidden_act": "silu", "max_position_embeddings": 4096,
      "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "tie_word_embeddings": false,
      "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 32000})"},
    {"cohere", R"({"vocab_size": 256000, "hidden_size": 8192, "intermediate_size": 22528, "num_hidden_layers": 40,
      "num_attention_heads": 64, "hidden_act": "silu", "max_position_embeddings": 8192, "layer_norm_eps": 1e-5,
      "logit_scale": 0.0625, "attention_bias": false, "use_qk_norm": false, "tie_word_embeddings": true,
      "rope_theta": 10000.0, "bos_token_id": 5, "eos_token_id": 255001})"},
    {"cohere2", R"({"vocab_size": 256000, "hidden_size": 8192, "intermediate_size": 22528, "num_hidden_layers": 40,
      "num_attention_heads": 64, "hidden_act": "silu", "max_position_embeddings": 8192, "layer_norm_eps": 1e-5,
      "logit_scale": 0.0625, "attention_bias": false, "sliding_window": 4096, "sliding_window_pattern": 4,
      "tie_word_embeddings": true, "rope_theta": 10000.0, "bos_token_id": 5, "eos_token_id": 255001})"},
    {"olmo2", R"({"max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "hidden_act": "silu", "attention_bias": false,
      "tie_word_embeddings": false, "rope_theta": 10000.0})"},
    {"gemma", R"({"max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "hidden_act": "gelu_pytorch_tanh",
      "head_dim": 256, "num_key_value_heads": 16, "attention_bias": false, "rms_norm_offset": 1,
      "tie_word_embeddings": true, "rope_theta": 10000.0, "bos_token_id": 2, "eos_token_id": 1})"},
    {"gemma2", R"({"max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "hidden_activation": "gelu_pytorch_tanh",
      "head_dim": 256, "num_key_value_heads": 4, "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50.0,
      "final_logit_softcapping": 30.0, "sliding_window": 4096, "sliding_window_pattern": 2, "attention_bias": false,
      "rms_norm_offset": 1, "tie_word_embeddings": true, "rope_theta": 10000.0, "bos_token_id": 2, "eos_token_id": 1})"},
};

}  // namespace

Json defaults_of(std::string_view model_type) {
  for (const Row& row : rows)
    if (row.model_type == model_type) return Json::parse(row.keys);
  return Json::object();
}

}  // namespace madang
