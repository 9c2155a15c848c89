// Names and arrangements in GGUF files, architecture by architecture, as llama.cpp's converter writes them (gguf-py,
// tensor_mapping.py). The layouts of others are in rules_hugging_face.cpp and rules_others.cpp.
#include "store/layouts.h"

namespace madang {
namespace {

// GGUF: what nearly all transformers share (gguf-py, tensor_mapping.py)
constexpr Rule gguf_transformer[] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"model.norm.{}", "output_norm.{}"},
    {"lm_head.{}", "output.{}"},
    {"model.layers.{}.input_layernorm.{}", "blk.{}.attn_norm.{}"},
    {"model.layers.{}.post_attention_layernorm.{}", "blk.{}.ffn_norm.{}"},
    {"model.layers.{}.self_attn.q_proj.{}", "blk.{}.attn_q.{}"},
    {"model.layers.{}.self_attn.k_proj.{}", "blk.{}.attn_k.{}"},
    {"model.layers.{}.self_attn.v_proj.{}", "blk.{}.attn_v.{}"},
    {"model.layers.{}.self_attn.o_proj.{}", "blk.{}.attn_output.{}"},
    {"model.layers.{}.self_attn.q_norm.{}", "blk.{}.attn_q_norm.{}"},
    {"model.layers.{}.self_attn.k_norm.{}", "blk.{}.attn_k_norm.{}"},
    {"model.layers.{}.mlp.gate_proj.{}", "blk.{}.ffn_gate.{}"},
    {"model.layers.{}.mlp.up_proj.{}", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.mlp.down_proj.{}", "blk.{}.ffn_down.{}"},
};

// The converter moved rows of q and k so that the rotation turns neighbours (convert_hf_to_gguf.py, permute).
constexpr Rule gguf_llama[] = {
    {"model.layers.{}.self_attn.q_proj.{}", "blk.{}.attn_q.{}", unpair, "num_attention_heads"},
    {"model.layers.{}.self_attn.k_proj.{}", "blk.{}.attn_k.{}", unpair, "num_key_value_heads"},
};

constexpr Rule gguf_mixtral_experts[] = {
    {"model.layers.{}.block_sparse_moe.gate.{}", "blk.{}.ffn_gate_inp.{}"},
    {"model.layers.{}.block_sparse_moe.experts.{}.w1.weight", "blk.{}.ffn_gate_exps.weight", expert},
    {"model.layers.{}.block_sparse_moe.experts.{}.w2.weight", "blk.{}.ffn_down_exps.weight", expert},
    {"model.layers.{}.block_sparse_moe.experts.{}.w3.weight", "blk.{}.ffn_up_exps.weight", expert},
    // Before 2024-04 every expert was a tensor of its own.
    {"model.layers.{}.block_sparse_moe.experts.{}.w1.weight", "blk.{}.ffn_gate.{}.weight"},
    {"model.layers.{}.block_sparse_moe.experts.{}.w2.weight", "blk.{}.ffn_down.{}.weight"},
    {"model.layers.{}.block_sparse_moe.experts.{}.w3.weight", "blk.{}.ffn_up.{}.weight"},
};

constexpr Rule gguf_qwen_moe[] = {
    {"model.layers.{}.mlp.gate.weight", "blk.{}.ffn_gate_inp.weight"},
    {"model.layers.{}.mlp.experts.{}.gate_proj.weight", "blk.{}.ffn_gate_exps.weight", expert},
    {"model.layers.{}.mlp.experts.{}.up_proj.weight", "blk.{}.ffn_up_exps.weight", expert},
    {"model.layers.{}.mlp.experts.{}.down_proj.weight", "blk.{}.ffn_down_exps.weight", expert},
    {"model.layers.{}.mlp.shared_expert.gate_proj.weight", "blk.{}.ffn_gate_shexp.weight"},
    {"model.layers.{}.mlp.shared_expert.up_proj.weight", "blk.{}.ffn_up_shexp.weight"},
    {"model.layers.{}.mlp.shared_expert.down_proj.weight", "blk.{}.ffn_down_shexp.weight"},
    {"model.layers.{}.mlp.shared_expert_gate.weight", "blk.{}.ffn_gate_inp_shexp.weight"},
};

// Norms after the sublayers (OLMo 2) or on both sides (Gemma 2 and 3).
constexpr Rule gguf_norms_after[] = {
    {"model.layers.{}.post_attention_layernorm.{}", "blk.{}.post_attention_norm.{}"},
    {"model.layers.{}.pre_feedforward_layernorm.{}", "blk.{}.ffn_norm.{}"},
    {"model.layers.{}.post_feedforward_layernorm.{}", "blk.{}.post_ffw_norm.{}"},
};

constexpr Rule gguf_glm4[] = {
    {"model.layers.{}.post_self_attn_layernorm.{}", "blk.{}.post_attention_norm.{}"},
    {"model.layers.{}.post_mlp_layernorm.{}", "blk.{}.post_ffw_norm.{}"},
    {"model.layers.{}.mlp.gate_up_proj.{}", "blk.{}.ffn_up.{}"},
};

constexpr Rule gguf_gpt2[] = {
    {"transformer.wte.weight", "token_embd.weight"},
    {"transformer.wpe.weight", "position_embd.weight"},
    {"transformer.ln_f.{}", "output_norm.{}"},
    {"transformer.h.{}.ln_1.{}", "blk.{}.attn_norm.{}"},
    {"transformer.h.{}.ln_2.{}", "blk.{}.ffn_norm.{}"},
    {"transformer.h.{}.attn.c_attn.{}", "blk.{}.attn_qkv.{}"},
    {"transformer.h.{}.attn.c_proj.{}", "blk.{}.attn_output.{}"},
    {"transformer.h.{}.mlp.c_fc.{}", "blk.{}.ffn_up.{}"},
    {"transformer.h.{}.mlp.c_proj.{}", "blk.{}.ffn_down.{}"},
};

constexpr Rule gguf_gpt_neox[] = {
    {"gpt_neox.embed_in.weight", "token_embd.weight"},
    {"gpt_neox.final_layer_norm.{}", "output_norm.{}"},
    {"gpt_neox.layers.{}.input_layernorm.{}", "blk.{}.attn_norm.{}"},
    {"gpt_neox.layers.{}.post_attention_layernorm.{}", "blk.{}.ffn_norm.{}"},
    {"gpt_neox.layers.{}.attention.query_key_value.{}", "blk.{}.attn_qkv.{}"},
    {"gpt_neox.layers.{}.attention.dense.{}", "blk.{}.attn_output.{}"},
    {"gpt_neox.layers.{}.mlp.dense_h_to_4h.{}", "blk.{}.ffn_up.{}"},
    {"gpt_neox.layers.{}.mlp.dense_4h_to_h.{}", "blk.{}.ffn_down.{}"},
};

constexpr Rule gguf_falcon[] = {
    {"transformer.word_embeddings.weight", "token_embd.weight"},
    {"transformer.ln_f.{}", "output_norm.{}"},
    {"transformer.h.{}.input_layernorm.{}", "blk.{}.attn_norm.{}"},
    {"transformer.h.{}.ln_mlp.{}", "blk.{}.attn_norm.{}"},
    {"transformer.h.{}.ln_attn.{}", "blk.{}.attn_norm_2.{}"},
    {"transformer.h.{}.self_attention.query_key_value.{}", "blk.{}.attn_qkv.{}"},
    {"transformer.h.{}.self_attention.dense.{}", "blk.{}.attn_output.{}"},
    {"transformer.h.{}.mlp.dense_h_to_4h.{}", "blk.{}.ffn_up.{}"},
    {"transformer.h.{}.mlp.dense_4h_to_h.{}", "blk.{}.ffn_down.{}"},
};

constexpr Rule gguf_phi[] = {
    {"model.final_layernorm.{}", "output_norm.{}"},
    {"model.layers.{}.self_attn.dense.{}", "blk.{}.attn_output.{}"},
    {"model.layers.{}.self_attn.q_layernorm.{}", "blk.{}.attn_q_norm.{}"},
    {"model.layers.{}.self_attn.k_layernorm.{}", "blk.{}.attn_k_norm.{}"},
    {"model.layers.{}.mlp.fc1.{}", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.mlp.fc2.{}", "blk.{}.ffn_down.{}"},
};

constexpr Rule gguf_llama4[] = {
    {"model.layers.{}.feed_forward.gate_proj.weight", "blk.{}.ffn_gate.weight"},
    {"model.layers.{}.feed_forward.up_proj.weight", "blk.{}.ffn_up.weight"},
    {"model.layers.{}.feed_forward.down_proj.weight", "blk.{}.ffn_down.weight"},
    {"model.layers.{}.feed_forward.router.weight", "blk.{}.ffn_gate_inp.weight"},
    {"model.layers.{}.feed_forward.experts.{}.gate_proj.weight", "blk.{}.ffn_gate_exps.weight", expert},
    {"model.layers.{}.feed_forward.experts.{}.up_proj.weight", "blk.{}.ffn_up_exps.weight", expert},
    {"model.layers.{}.feed_forward.experts.{}.down_proj.weight", "blk.{}.ffn_down_exps.weight", expert},
    {"model.layers.{}.feed_forward.shared_expert.gate_proj.weight", "blk.{}.ffn_gate_shexp.weight"},
    {"model.layers.{}.feed_forward.shared_expert.up_proj.weight", "blk.{}.ffn_up_shexp.weight"},
    {"model.layers.{}.feed_forward.shared_expert.down_proj.weight", "blk.{}.ffn_down_shexp.weight"},
};

constexpr Rule gguf_jamba[] = {
    {"model.final_layernorm.{}", "output_norm.{}"},
    {"model.layers.{}.pre_ff_layernorm.{}", "blk.{}.ffn_norm.{}"},
    {"model.layers.{}.mamba.in_proj.{}", "blk.{}.ssm_in.{}"},
    {"model.layers.{}.mamba.conv1d.{}", "blk.{}.ssm_conv1d.{}"},
    {"model.layers.{}.mamba.x_proj.{}", "blk.{}.ssm_x.{}"},
    {"model.layers.{}.mamba.dt_proj.{}", "blk.{}.ssm_dt.{}"},
    {"model.layers.{}.mamba.A_log", "blk.{}.ssm_a", log_negated},
    {"model.layers.{}.mamba.D", "blk.{}.ssm_d"},
    {"model.layers.{}.mamba.out_proj.{}", "blk.{}.ssm_out.{}"},
    {"model.layers.{}.mamba.dt_layernorm.{}", "blk.{}.ssm_dt_norm.{}"},
    {"model.layers.{}.mamba.b_layernorm.{}", "blk.{}.ssm_b_norm.{}"},
    {"model.layers.{}.mamba.c_layernorm.{}", "blk.{}.ssm_c_norm.{}"},
};

constexpr Rule gguf_granite_hybrid[] = {
    {"model.layers.{}.shared_mlp.gate_proj.weight", "blk.{}.ffn_gate_shexp.weight", nullptr, "", "num_local_experts"},
    {"model.layers.{}.shared_mlp.up_proj.weight", "blk.{}.ffn_up_shexp.weight", nullptr, "", "num_local_experts"},
    {"model.layers.{}.shared_mlp.down_proj.weight", "blk.{}.ffn_down_shexp.weight", nullptr, "", "num_local_experts"},
    {"model.layers.{}.shared_mlp.gate_proj.weight", "blk.{}.ffn_gate.weight"},
    {"model.layers.{}.shared_mlp.up_proj.weight", "blk.{}.ffn_up.weight"},
    {"model.layers.{}.shared_mlp.down_proj.weight", "blk.{}.ffn_down.weight"},
    {"model.layers.{}.block_sparse_moe.router.layer.weight", "blk.{}.ffn_gate_inp.weight"},
    {"model.layers.{}.block_sparse_moe.experts.{}.gate_proj.weight", "blk.{}.ffn_gate_exps.weight", expert},
    {"model.layers.{}.block_sparse_moe.experts.{}.up_proj.weight", "blk.{}.ffn_up_exps.weight", expert},
    {"model.layers.{}.block_sparse_moe.experts.{}.down_proj.weight", "blk.{}.ffn_down_exps.weight", expert},
    {"model.layers.{}.mamba.dt_bias", "blk.{}.ssm_dt.bias"},
    {"model.layers.{}.mamba.norm.weight", "blk.{}.ssm_norm.weight", flat, "mamba_n_groups"},
    {"model.layers.{}.mamba.A_log", "blk.{}.ssm_a", log_negated, "mamba_n_heads"},
    {"model.layers.{}.mamba.D", "blk.{}.ssm_d", flat, "mamba_n_heads"},
};

// Mamba-2, beside what Mamba has; Nemotron-H's other layers.
constexpr Rule gguf_mamba2[] = {
    {"backbone.layers.{}.mixer.dt_bias", "blk.{}.ssm_dt.bias"},
    {"backbone.layers.{}.mixer.norm.weight", "blk.{}.ssm_norm.weight", flat, "mamba_n_groups"},
    {"backbone.layers.{}.mixer.A_log", "blk.{}.ssm_a", log_negated, "mamba_n_heads"},
    {"backbone.layers.{}.mixer.D", "blk.{}.ssm_d", flat, "mamba_n_heads"},
    {"backbone.layers.{}.mixer.q_proj.weight", "blk.{}.attn_q.weight"},
    {"backbone.layers.{}.mixer.k_proj.weight", "blk.{}.attn_k.weight"},
    {"backbone.layers.{}.mixer.v_proj.weight", "blk.{}.attn_v.weight"},
    {"backbone.layers.{}.mixer.o_proj.weight", "blk.{}.attn_output.weight"},
    {"backbone.layers.{}.mixer.up_proj.{}", "blk.{}.ffn_up.{}"},
    {"backbone.layers.{}.mixer.down_proj.{}", "blk.{}.ffn_down.{}"},
    {"backbone.layers.{}.mixer.gate.weight", "blk.{}.ffn_gate_inp.weight"},
    {"backbone.layers.{}.mixer.gate.e_score_correction_bias", "blk.{}.exp_probs_b.bias"},
    {"backbone.layers.{}.mixer.experts.{}.up_proj.weight", "blk.{}.ffn_up_exps.weight", expert},
    {"backbone.layers.{}.mixer.experts.{}.down_proj.weight", "blk.{}.ffn_down_exps.weight", expert},
    {"backbone.layers.{}.mixer.shared_experts.up_proj.{}", "blk.{}.ffn_up_shexp.{}"},
    {"backbone.layers.{}.mixer.shared_experts.down_proj.{}", "blk.{}.ffn_down_shexp.{}"},
    {"backbone.layers.{}.mixer.fc1_latent_proj.{}", "blk.{}.ffn_latent_down.{}"},
    {"backbone.layers.{}.mixer.fc2_latent_proj.{}", "blk.{}.ffn_latent_up.{}"},
};

constexpr Rule gguf_bloom[] = {
    {"transformer.word_embeddings_layernorm.{}", "token_embd_norm.{}"},
    {"transformer.h.{}.post_attention_layernorm.{}", "blk.{}.ffn_norm.{}"},
};

constexpr Rule gguf_starcoder2[] = {
    {"model.layers.{}.mlp.c_fc.{}", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.mlp.c_proj.{}", "blk.{}.ffn_down.{}"},
};

constexpr Rule gguf_stablelm[] = {
    {"model.layers.{}.self_attn.q_layernorm.{}", "blk.{}.attn_q_norm.{}"},
    {"model.layers.{}.self_attn.k_layernorm.{}", "blk.{}.attn_k_norm.{}"},
};

constexpr Rule gguf_gpt_oss[] = {
    {"model.layers.{}.post_attention_layernorm.{}", "blk.{}.post_attention_norm.{}"},
    {"model.layers.{}.self_attn.sinks", "blk.{}.attn_sinks.weight"},
    {"model.layers.{}.mlp.router.{}", "blk.{}.ffn_gate_inp.{}"},
    {"model.layers.{}.mlp.experts.{}.gate_proj.{}", "blk.{0}.ffn_gate_exps.{2}", expert},
    {"model.layers.{}.mlp.experts.{}.up_proj.{}", "blk.{0}.ffn_up_exps.{2}", expert},
    {"model.layers.{}.mlp.experts.{}.down_proj.{}", "blk.{0}.ffn_down_exps.{2}", expert},
};

constexpr Rule gguf_deepseek[] = {
    {"model.layers.{}.self_attn.q_a_proj.{}", "blk.{}.attn_q_a.{}"},
    {"model.layers.{}.self_attn.q_a_layernorm.{}", "blk.{}.attn_q_a_norm.{}"},
    {"model.layers.{}.self_attn.q_b_proj.{}", "blk.{}.attn_q_b.{}"},
    {"model.layers.{}.self_attn.kv_a_proj_with_mqa.{}", "blk.{}.attn_kv_a_mqa.{}"},
    {"model.layers.{}.self_attn.kv_a_layernorm.{}", "blk.{}.attn_kv_a_norm.{}"},
    {"model.layers.{}.self_attn.k_b_proj.{}.weight", "blk.{}.attn_k_b.weight", expert},
    {"model.layers.{}.self_attn.v_b_proj.{}.weight", "blk.{}.attn_v_b.weight", expert},
    {"model.layers.{}.self_attn.k_b_proj.{}.weight", "blk.{}.attn_kv_b.weight", latent_keys},
    {"model.layers.{}.self_attn.v_b_proj.{}.weight", "blk.{}.attn_kv_b.weight", latent_values},
    {"model.layers.{}.mlp.gate.e_score_correction_bias", "blk.{}.exp_probs_b.bias"},
    {"model.layers.{}.mlp.shared_experts.gate_proj.weight", "blk.{}.ffn_gate_shexp.weight"},
    {"model.layers.{}.mlp.shared_experts.up_proj.weight", "blk.{}.ffn_up_shexp.weight"},
    {"model.layers.{}.mlp.shared_experts.down_proj.weight", "blk.{}.ffn_down_shexp.weight"},
};

// In llama.cpp Solar Open is a GLM-4 MoE, which names its second norm after attention.
constexpr Rule gguf_solar_open[] = {
    {"model.layers.{}.post_attention_layernorm.{}", "blk.{}.post_attention_norm.{}"},
};

constexpr Rule gguf_phi3[] = {
    {"model.layers.{}.self_attn.qkv_proj.{}", "blk.{}.attn_qkv.{}"},
    {"model.layers.{}.mlp.gate_up_proj.{}", "blk.{}.ffn_up.{}"},
};

constexpr Rule gguf_mamba[] = {
    {"backbone.embeddings.weight", "token_embd.weight"},
    {"backbone.norm_f.{}", "output_norm.{}"},
    {"backbone.layers.{}.norm.{}", "blk.{}.attn_norm.{}"},
    {"backbone.layers.{}.mixer.in_proj.{}", "blk.{}.ssm_in.{}"},
    {"backbone.layers.{}.mixer.conv1d.{}", "blk.{}.ssm_conv1d.{}"},
    {"backbone.layers.{}.mixer.x_proj.{}", "blk.{}.ssm_x.{}"},
    {"backbone.layers.{}.mixer.dt_proj.{}", "blk.{}.ssm_dt.{}"},
    {"backbone.layers.{}.mixer.A_log", "blk.{}.ssm_a", log_negated},
    {"backbone.layers.{}.mixer.D", "blk.{}.ssm_d"},
    {"backbone.layers.{}.mixer.out_proj.{}", "blk.{}.ssm_out.{}"},
};

constexpr Rule gguf_lfm2[] = {
    {"model.embedding_norm.{}", "token_embd_norm.{}"},
    {"model.embedding_norm.{}", "output_norm.{}"},
    {"model.layers.{}.operator_norm.{}", "blk.{}.attn_norm.{}"},
    {"model.layers.{}.ffn_norm.{}", "blk.{}.ffn_norm.{}"},
    {"model.layers.{}.feed_forward.w1.{}", "blk.{}.ffn_gate.{}"},
    {"model.layers.{}.feed_forward.w2.{}", "blk.{}.ffn_down.{}"},
    {"model.layers.{}.feed_forward.w3.{}", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.self_attn.out_proj.{}", "blk.{}.attn_output.{}"},
    {"model.layers.{}.self_attn.q_layernorm.{}", "blk.{}.attn_q_norm.{}"},
    {"model.layers.{}.self_attn.k_layernorm.{}", "blk.{}.attn_k_norm.{}"},
    {"model.layers.{}.conv.{}.{}", "blk.{}.shortconv.{}.{}"},
};

constexpr Rule gguf_qwen3_next[] = {
    {"model.layers.{}.post_attention_layernorm.{}", "blk.{}.post_attention_norm.{}"},
    {"model.layers.{}.self_attn.q_proj.{}", "blk.{}.attn_q.{}", first_of_heads, "num_attention_heads"},
    {"model.layers.{}.self_attn.gate_proj.{}", "blk.{}.attn_q.{}", second_of_heads, "num_attention_heads"},
    {"model.layers.{}.linear_attn.in_proj_qkvz.weight", "blk.{0}.attn_qkv.weight + blk.{0}.attn_gate.weight",
     by_key_heads},
    {"model.layers.{}.linear_attn.in_proj_qkvz.weight", "blk.{}.ssm_in.weight"},  // before 2026
    {"model.layers.{}.linear_attn.in_proj_ba.weight", "blk.{}.ssm_ba.weight"},
    {"model.layers.{}.linear_attn.conv1d.weight", "blk.{}.ssm_conv1d.weight"},
    {"model.layers.{}.linear_attn.dt_bias", "blk.{}.ssm_dt.bias"},
    {"model.layers.{}.linear_attn.A_log", "blk.{}.ssm_a", log_negated},
    {"model.layers.{}.linear_attn.norm.weight", "blk.{}.ssm_norm.weight"},
    {"model.layers.{}.linear_attn.out_proj.weight", "blk.{}.ssm_out.weight"},
};

constexpr Rule gguf_rwkv[] = {
    {"emb.weight", "token_embd.weight"},
    {"blocks.0.ln0.{}", "token_embd_norm.{}"},
    {"ln_out.{}", "output_norm.{}"},
    {"head.weight", "output.weight"},
    {"blocks.{}.ln1.{}", "blk.{}.attn_norm.{}"},
    {"blocks.{}.ln2.{}", "blk.{}.attn_norm_2.{}"},
    {"blocks.{}.att.ln_x.{}", "blk.{}.time_mix_ln.{}"},
    {"blocks.{}.ffn.x_k", "blk.{}.channel_mix_lerp_k.weight"},
    {"blocks.{}.ffn.time_maa_k", "blk.{}.channel_mix_lerp_k.weight"},
    {"blocks.{}.ffn.time_maa_r", "blk.{}.channel_mix_lerp_r.weight"},
    {"blocks.{}.ffn.{}.weight", "blk.{}.channel_mix_{}.weight"},
};

constexpr Rule gguf_rwkv6[] = {
    {"blocks.{}.att.time_faaaa", "blk.{}.time_mix_first.weight", flat_rows, "head_size"},
    {"blocks.{}.att.time_maa_x", "blk.{}.time_mix_lerp_x.weight"},
    {"blocks.{}.att.time_decay_w2.bias", "blk.{}.time_mix_decay.weight"},
    {"blocks.{}.att.time_decay_{}.weight", "blk.{}.time_mix_decay_{}.weight"},
    {"blocks.{}.att.time_maa_w1.weight", "blk.{}.time_mix_w1.weight"},
    {"blocks.{}.att.time_maa_w2.{}.weight", "blk.{}.time_mix_w2.weight", expert},
    {"blocks.{}.att.time_maa_w2.{}.bias", "blk.{}.time_mix_lerp_fused.weight", expert},
    // Before 2025-01 each share was a tensor of its own.
    {"blocks.{}.att.time_maa_w2.0.bias", "blk.{}.time_mix_lerp_w.weight"},
    {"blocks.{}.att.time_maa_w2.1.bias", "blk.{}.time_mix_lerp_k.weight"},
    {"blocks.{}.att.time_maa_w2.2.bias", "blk.{}.time_mix_lerp_v.weight"},
    {"blocks.{}.att.time_maa_w2.3.bias", "blk.{}.time_mix_lerp_r.weight"},
    {"blocks.{}.att.time_maa_w2.4.bias", "blk.{}.time_mix_lerp_g.weight"},
    {"blocks.{}.att.{}.weight", "blk.{}.time_mix_{}.weight"},
};

constexpr Rule gguf_rwkv7[] = {
    {"blocks.{}.att.x_rwkvag.{}", "blk.{}.time_mix_lerp_fused.weight", expert},
    {"blocks.{}.att.{...}2.bias", "blk.{}.time_mix_{...}0.weight"},
    {"blocks.{}.att.{}.weight", "blk.{}.time_mix_{}.weight"},
    {"blocks.{}.att.{}", "blk.{}.time_mix_{}.weight"},
};

}  // namespace

const std::vector<LayoutRules>& gguf_rules() {
  static const std::vector<LayoutRules> all = {
      {Layout::gguf, "llama", gguf_llama, {}},
      {Layout::gguf, "mistral", gguf_llama, {}},
      {Layout::gguf, "mixtral", gguf_llama, {}},
      {Layout::gguf, "mixtral", gguf_mixtral_experts, {}},
      {Layout::gguf, "qwen2_moe", gguf_qwen_moe, {}},
      {Layout::gguf, "qwen3_moe", gguf_qwen_moe, {}},
      {Layout::gguf, "granite", gguf_llama, {}},
      {Layout::gguf, "granitemoe", gguf_llama, {}},
      {Layout::gguf, "granitemoe", gguf_granite_hybrid, {}},
      {Layout::gguf, "smollm3", gguf_llama, {}},
      {Layout::gguf, "olmo2", gguf_norms_after, {}},
      {Layout::gguf, "exaone4", gguf_norms_after, {}},
      {Layout::gguf, "gemma2", gguf_norms_after, {}},
      {Layout::gguf, "gemma3_text", gguf_norms_after, {}},
      {Layout::gguf, "phimoe", gguf_mixtral_experts, {"rope_factors_long.weight", "rope_factors_short.weight"}},
      {Layout::gguf, "gpt_oss", gguf_gpt_oss, {}},
      {Layout::gguf, "deepseek_v2", gguf_deepseek, {}},
      {Layout::gguf, "deepseek_v2", gguf_qwen_moe, {}},
      {Layout::gguf, "deepseek_v3", gguf_deepseek, {}},
      {Layout::gguf, "deepseek_v3", gguf_qwen_moe, {}},
      {Layout::gguf, "exaone_moe", gguf_deepseek, {}},
      {Layout::gguf, "exaone_moe", gguf_qwen_moe, {}},
      {Layout::gguf, "solar_open", gguf_solar_open, {}},
      {Layout::gguf, "solar_open", gguf_deepseek, {}},
      {Layout::gguf, "solar_open", gguf_qwen_moe, {}},
      {Layout::gguf, "lfm2", gguf_lfm2, {}},
      {Layout::gguf, "qwen3_next", gguf_qwen3_next, {}},
      {Layout::gguf, "qwen3_next", gguf_qwen_moe, {}},
      {Layout::gguf, "rwkv6", gguf_rwkv, {}},
      {Layout::gguf, "rwkv6", gguf_rwkv6, {}},
      {Layout::gguf, "rwkv7", gguf_rwkv, {}},
      {Layout::gguf,
       "rwkv7",
       gguf_rwkv7,
       {"blk.0.time_mix_v0.weight", "blk.0.time_mix_v1.weight", "blk.0.time_mix_v2.weight"}},
      {Layout::gguf, "jamba", gguf_jamba, {}},
      {Layout::gguf, "jamba", gguf_llama4, {}},
      {Layout::gguf, "llama4_text", gguf_llama4, {}},
      {Layout::gguf, "bloom", gguf_bloom, {}},
      {Layout::gguf, "bloom", gguf_falcon, {}},
      {Layout::gguf, "starcoder2", gguf_starcoder2, {}},
      {Layout::gguf, "stablelm", gguf_stablelm, {}},
      {Layout::gguf, "falcon_mamba", gguf_mamba, {}},
      {Layout::gguf, "mamba2", gguf_mamba2, {}},
      {Layout::gguf, "mamba2", gguf_mamba, {}},
      {Layout::gguf, "nemotron_h", gguf_mamba2, {}},
      {Layout::gguf, "nemotron_h", gguf_mamba, {}},
      {Layout::gguf, "bamba", gguf_granite_hybrid, {}},
      {Layout::gguf, "bamba", gguf_llama, {}},
      {Layout::gguf, "bamba", gguf_jamba, {}},
      {Layout::gguf, "bamba", gguf_llama4, {}},
      {Layout::gguf, "granitemoehybrid", gguf_granite_hybrid, {}},
      {Layout::gguf, "granitemoehybrid", gguf_llama, {}},
      {Layout::gguf, "granitemoehybrid", gguf_jamba, {}},
      {Layout::gguf, "olmo3", gguf_norms_after, {}},
      {Layout::gguf, "glm4", gguf_glm4, {}},
      {Layout::gguf, "gpt2", gguf_gpt2, {}},
      {Layout::gguf, "gpt_neox", gguf_gpt_neox, {}},
      {Layout::gguf, "falcon", gguf_falcon, {}},
      {Layout::gguf, "phi", gguf_phi, {}},
      {Layout::gguf, "phi3", gguf_phi3, {"rope_factors_long.weight", "rope_factors_short.weight"}},
      {Layout::gguf, "mamba", gguf_mamba, {}},
  };
  return all;
}

std::span<const Rule> gguf_transformer_rules() { return gguf_transformer; }

}  // namespace madang
