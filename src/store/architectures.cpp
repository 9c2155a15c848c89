// Names and arrangements of each layout, architecture by architecture: the one place that knows them. Hugging Face
// repositories need no rules where the layers ask by their names.
#include "store/rules.h"

namespace madang {
namespace {

// ---- GGUF: what nearly all transformers share (gguf-py, tensor_mapping.py)
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

constexpr Rule hf_llama4[] = {
    {"model.layers.{}.feed_forward.experts.{}.gate_proj.weight", "model.layers.{}.feed_forward.experts.gate_up_proj",
     expert_turned_first},
    {"model.layers.{}.feed_forward.experts.{}.up_proj.weight", "model.layers.{}.feed_forward.experts.gate_up_proj",
     expert_turned_second},
    {"model.layers.{}.feed_forward.experts.{}.down_proj.weight", "model.layers.{}.feed_forward.experts.down_proj",
     expert_turned},
    {"lm_head.weight", "language_model.lm_head.weight"},
    {"model.{...}", "language_model.model.{...}"},
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

// Granite 4: gate above up, and experts as stacks of such.
constexpr Rule hf_granite_hybrid[] = {
    {"model.layers.{}.shared_mlp.gate_proj.weight", "model.layers.{}.shared_mlp.input_linear.weight", upper_rows},
    {"model.layers.{}.shared_mlp.up_proj.weight", "model.layers.{}.shared_mlp.input_linear.weight", lower_rows},
    {"model.layers.{}.shared_mlp.down_proj.weight", "model.layers.{}.shared_mlp.output_linear.weight"},
    {"model.layers.{}.block_sparse_moe.experts.{}.gate_proj.weight",
     "model.layers.{}.block_sparse_moe.input_linear.weight", expert_upper},
    {"model.layers.{}.block_sparse_moe.experts.{}.up_proj.weight",
     "model.layers.{}.block_sparse_moe.input_linear.weight", expert_lower},
    {"model.layers.{}.block_sparse_moe.experts.{}.down_proj.weight",
     "model.layers.{}.block_sparse_moe.output_linear.weight", expert},
};

constexpr Rule gguf_granite_hybrid[] = {
    {"model.layers.{}.shared_mlp.gate_proj.weight", "blk.{}.ffn_gate_shexp.weight"},
    {"model.layers.{}.shared_mlp.up_proj.weight", "blk.{}.ffn_up_shexp.weight"},
    {"model.layers.{}.shared_mlp.down_proj.weight", "blk.{}.ffn_down_shexp.weight"},
    {"model.layers.{}.shared_mlp.gate_proj.weight", "blk.{}.ffn_gate.weight"},
    {"model.layers.{}.shared_mlp.up_proj.weight", "blk.{}.ffn_up.weight"},
    {"model.layers.{}.shared_mlp.down_proj.weight", "blk.{}.ffn_down.weight"},
    {"model.layers.{}.block_sparse_moe.router.layer.weight", "blk.{}.ffn_gate_inp.weight"},
    {"model.layers.{}.block_sparse_moe.experts.{}.gate_proj.weight", "blk.{}.ffn_gate_exps.weight", expert},
    {"model.layers.{}.block_sparse_moe.experts.{}.up_proj.weight", "blk.{}.ffn_up_exps.weight", expert},
    {"model.layers.{}.block_sparse_moe.experts.{}.down_proj.weight", "blk.{}.ffn_down_exps.weight", expert},
    {"model.layers.{}.mamba.dt_bias", "blk.{}.ssm_dt.bias"},
    {"model.layers.{}.mamba.norm.weight", "blk.{}.ssm_norm.weight", flat},
};

// Mamba-2, beside what Mamba has; Nemotron-H's other layers.
constexpr Rule gguf_mamba2[] = {
    {"backbone.layers.{}.mixer.dt_bias", "blk.{}.ssm_dt.bias"},
    {"backbone.layers.{}.mixer.norm.weight", "blk.{}.ssm_norm.weight", flat},
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

// Codestral Mamba puts a prefix before all; the first Mamba-2 files have one letter less.
constexpr Rule hf_mamba2[] = {
    {"backbone.embeddings.weight", "backbone.embedding.weight"},
    {"backbone.{...}", "model.backbone.{...}"},
    {"lm_head.weight", "model.lm_head.weight"},
};

// Puzzle and what transformers itself writes: another prefix.
constexpr Rule hf_nemotron_h[] = {{"backbone.{...}", "model.{...}"}};

constexpr Rule gguf_bloom[] = {
    {"transformer.word_embeddings_layernorm.{}", "token_embd_norm.{}"},
    {"transformer.h.{}.post_attention_layernorm.{}", "blk.{}.ffn_norm.{}"},
};

constexpr Rule gguf_starcoder2[] = {
    {"model.layers.{}.mlp.c_fc.{}", "blk.{}.ffn_up.{}"},
    {"model.layers.{}.mlp.c_proj.{}", "blk.{}.ffn_down.{}"},
};

// StableLM 2 12B: every head has a norm of its own.
constexpr Rule hf_stablelm[] = {
    {"model.layers.{}.self_attn.q_layernorm.weight", "model.layers.{}.self_attn.q_layernorm.norms.*.weight", stack},
    {"model.layers.{}.self_attn.k_layernorm.weight", "model.layers.{}.self_attn.k_layernorm.norms.*.weight", stack},
};

constexpr Rule gguf_stablelm[] = {
    {"model.layers.{}.self_attn.q_layernorm.{}", "blk.{}.attn_q_norm.{}"},
    {"model.layers.{}.self_attn.k_layernorm.{}", "blk.{}.attn_k_norm.{}"},
};

constexpr Rule hf_exaone_moe[] = {
    {"model.layers.{}.mlp.gate.e_score_correction_bias", "model.layers.{}.mlp.e_score_correction_bias"},
};

// Some repositories leave the prefix out.
constexpr Rule hf_bloom[] = {{"transformer.{...}", "{...}"}};

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

constexpr Rule hf_deepseek[] = {
    {"model.layers.{}.self_attn.k_b_proj.{}.weight", "model.layers.{}.self_attn.kv_b_proj.weight", latent_keys},
    {"model.layers.{}.self_attn.v_b_proj.{}.weight", "model.layers.{}.self_attn.kv_b_proj.weight", latent_values},
};

// gpt-oss: gate and up alternate in the last axis.
constexpr Rule hf_gpt_oss[] = {
    {"model.layers.{}.mlp.experts.{}.gate_proj.weight", "model.layers.{}.mlp.experts.gate_up_proj", expert_turned_even},
    {"model.layers.{}.mlp.experts.{}.up_proj.weight", "model.layers.{}.mlp.experts.gate_up_proj", expert_turned_odd},
    {"model.layers.{}.mlp.experts.{}.down_proj.weight", "model.layers.{}.mlp.experts.down_proj", expert_turned},
    {"model.layers.{}.mlp.experts.{}.gate_proj.bias", "model.layers.{}.mlp.experts.gate_up_proj_bias",
     expert_turned_even},
    {"model.layers.{}.mlp.experts.{}.up_proj.bias", "model.layers.{}.mlp.experts.gate_up_proj_bias", expert_turned_odd},
    {"model.layers.{}.mlp.experts.{}.down_proj.bias", "model.layers.{}.mlp.experts.down_proj_bias", expert},
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

// ---- llama2.c: Meta's names, and neighbours turned
constexpr Rule llama2c[] = {
    {"model.embed_tokens.weight", "tok_embeddings.weight"},
    {"model.norm.weight", "norm.weight"},
    {"lm_head.weight", "output.weight"},
    {"model.layers.{}.input_layernorm.weight", "layers.{}.attention_norm.weight"},
    {"model.layers.{}.post_attention_layernorm.weight", "layers.{}.ffn_norm.weight"},
    {"model.layers.{}.self_attn.q_proj.weight", "layers.{}.attention.wq.weight", unpair, "num_attention_heads"},
    {"model.layers.{}.self_attn.k_proj.weight", "layers.{}.attention.wk.weight", unpair, "num_key_value_heads"},
    {"model.layers.{}.self_attn.v_proj.weight", "layers.{}.attention.wv.weight"},
    {"model.layers.{}.self_attn.o_proj.weight", "layers.{}.attention.wo.weight"},
    {"model.layers.{}.mlp.gate_proj.weight", "layers.{}.feed_forward.w1.weight"},
    {"model.layers.{}.mlp.down_proj.weight", "layers.{}.feed_forward.w2.weight"},
    {"model.layers.{}.mlp.up_proj.weight", "layers.{}.feed_forward.w3.weight"},
};

// ---- RWKV: names of the first implementation are canonical for 5, 6 and 7 (rwkv.cpp keeps them), transformers' for 4.
// A low-rank pair is two matrices, the second with a bias: w1, w2 and w0.
constexpr Rule rwkv_cpp_rwkv4[] = {
    {"rwkv.embeddings.weight", "emb.weight"},
    {"rwkv.blocks.0.pre_ln.{}", "blocks.0.ln0.{}"},
    {"rwkv.blocks.{}.attention.time_decay", "blocks.{}.att.time_decay", log_negated},
    {"rwkv.blocks.{}.attention.time_mix_key", "blocks.{}.att.time_mix_k"},
    {"rwkv.blocks.{}.attention.time_mix_value", "blocks.{}.att.time_mix_v"},
    {"rwkv.blocks.{}.attention.time_mix_receptance", "blocks.{}.att.time_mix_r"},
    {"rwkv.blocks.{}.feed_forward.time_mix_key", "blocks.{}.ffn.time_mix_k"},
    {"rwkv.blocks.{}.feed_forward.time_mix_receptance", "blocks.{}.ffn.time_mix_r"},
    {"rwkv.blocks.{}.attention.{...}", "blocks.{}.att.{...}"},
    {"rwkv.blocks.{}.feed_forward.{...}", "blocks.{}.ffn.{...}"},
    {"rwkv.{...}", "{...}"},
};

constexpr Rule rwkv_cpp_rwkv5[] = {
    {"blocks.{}.att.time_decay", "blocks.{}.att.time_decay", flat},
    {"blocks.{}.att.time_faaaa", "blocks.{}.att.time_faaaa", flat},
};

constexpr Rule rwkv_cpp_rwkv6[] = {
    {"blocks.{}.att.time_faaaa", "blocks.{}.att.time_faaaa", flat},
    {"blocks.{}.att.time_decay_w2.bias", "blocks.{}.att.time_decay", flat},
    {"blocks.{}.att.time_decay_{}.weight", "blocks.{}.att.time_decay_{}"},
    {"blocks.{}.att.time_maa_w1.weight", "blocks.{}.att.time_maa_w1"},
    {"blocks.{}.att.time_maa_w2.{}.weight", "blocks.{}.att.time_maa_w2", expert},
    {"blocks.{}.att.time_maa_w2.0.bias", "blocks.{}.att.time_maa_w"},
    {"blocks.{}.att.time_maa_w2.1.bias", "blocks.{}.att.time_maa_k"},
    {"blocks.{}.att.time_maa_w2.2.bias", "blocks.{}.att.time_maa_v"},
    {"blocks.{}.att.time_maa_w2.3.bias", "blocks.{}.att.time_maa_r"},
    {"blocks.{}.att.time_maa_w2.4.bias", "blocks.{}.att.time_maa_g"},
};

constexpr Rule rwkv_cpp_rwkv7[] = {
    {"blocks.{}.att.r_k", "blocks.{}.att.r_k", flat},
    {"blocks.{}.att.x_rwkvag.{}", "blocks.{}.att.x_rwkvag", expert},
    {"blocks.{}.att.{...}1.weight", "blocks.{}.att.{...}1"},
    {"blocks.{}.att.{...}2.weight", "blocks.{}.att.{...}2"},
    {"blocks.{}.att.{...}2.bias", "blocks.{}.att.{...}0"},
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
    {"blocks.{}.att.time_faaaa", "blk.{}.time_mix_first.weight", flat},
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

// ---- Hugging Face: repositories that also see keep the language model one level down
constexpr Rule hf_gemma3[] = {
    {"model.{...}", "language_model.model.{...}"},
    {"model.{...}", "model.language_model.{...}"},
};

// GPT-2 multiplies from the other side (Conv1D); some repositories leave the prefix out.
constexpr Rule hf_gpt2[] = {
    {"transformer.h.{}.{}.{}.weight", "transformer.h.{}.{}.{}.weight", transpose},
    {"transformer.h.{}.{}.{}.weight", "h.{}.{}.{}.weight", transpose},
    {"transformer.{...}", "{...}"},
};

constexpr Rule hf_gpt_neox[] = {{"lm_head.weight", "embed_out.weight"}};

// EXAONE 3 keeps GPT-2's manner of names.
constexpr Rule hf_exaone[] = {
    {"model.embed_tokens.weight", "transformer.wte.weight"},
    {"model.norm.weight", "transformer.ln_f.weight"},
    {"model.layers.{}.input_layernorm.weight", "transformer.h.{}.ln_1.weight"},
    {"model.layers.{}.post_attention_layernorm.weight", "transformer.h.{}.ln_2.weight"},
    {"model.layers.{}.self_attn.o_proj.weight", "transformer.h.{}.attn.attention.out_proj.weight"},
    {"model.layers.{}.self_attn.{}.weight", "transformer.h.{}.attn.attention.{}.weight"},
    {"model.layers.{}.mlp.gate_proj.weight", "transformer.h.{}.mlp.c_fc_0.weight"},
    {"model.layers.{}.mlp.up_proj.weight", "transformer.h.{}.mlp.c_fc_1.weight"},
    {"model.layers.{}.mlp.down_proj.weight", "transformer.h.{}.mlp.c_proj.weight"},
};

// Qwen3-Next keeps a query head's gate beside it.
constexpr Rule qwen3_next_gates[] = {
    {"model.layers.{}.self_attn.q_proj.{}", "model.layers.{}.self_attn.q_proj.{}", first_of_heads,
     "num_attention_heads"},
    {"model.layers.{}.self_attn.gate_proj.{}", "model.layers.{}.self_attn.q_proj.{}", second_of_heads,
     "num_attention_heads"},
};

struct Row {
  Layout layout;
  std::string_view architecture;
  std::span<const Rule> rules;
  std::vector<std::string_view> ignorable;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {Layout::gguf, "llama", gguf_llama, {}},
      {Layout::gguf, "mistral", gguf_llama, {}},
      {Layout::gguf, "mixtral", gguf_llama, {}},
      {Layout::gguf, "mixtral", gguf_mixtral_experts, {}},
      {Layout::gguf, "qwen2_moe", gguf_qwen_moe, {}},
      {Layout::gguf, "qwen3_moe", gguf_qwen_moe, {}},
      {Layout::gguf, "granite", gguf_llama, {}},
      {Layout::gguf, "smollm3", gguf_llama, {}},
      {Layout::gguf, "olmo2", gguf_norms_after, {}},
      {Layout::gguf, "exaone4", gguf_norms_after, {}},
      {Layout::hugging_face, "exaone", hf_exaone, {"transformer.rotary.inv_freq"}},
      {Layout::gguf, "gemma2", gguf_norms_after, {}},
      {Layout::gguf, "gemma3_text", gguf_norms_after, {}},
      {Layout::gguf, "phimoe", gguf_mixtral_experts, {"rope_factors_long.weight", "rope_factors_short.weight"}},
      {Layout::gguf, "gpt_oss", gguf_gpt_oss, {}},
      {Layout::gguf, "deepseek_v2", gguf_deepseek, {}},
      {Layout::gguf, "deepseek_v2", gguf_qwen_moe, {}},
      {Layout::gguf, "deepseek_v3", gguf_deepseek, {}},
      {Layout::gguf, "deepseek_v3", gguf_qwen_moe, {}},
      {Layout::hugging_face, "gpt_oss", hf_gpt_oss, {}},
      {Layout::hugging_face, "deepseek_v2", hf_deepseek, {}},
      // V3 and R1 ship one layer more, which guesses the token after the next.
      {Layout::hugging_face, "deepseek_v3", hf_deepseek, {"model.layers.61.{...}"}},
      {Layout::rwkv_cpp, "rwkv", rwkv_cpp_rwkv4, {}},
      {Layout::rwkv_cpp, "rwkv5", rwkv_cpp_rwkv5, {}},
      {Layout::rwkv_cpp, "rwkv6", rwkv_cpp_rwkv6, {}},
      // The first layer mixes its values with nothing; some files keep weights for it all the same.
      {Layout::rwkv_cpp, "rwkv7", rwkv_cpp_rwkv7, {"blocks.0.att.v0", "blocks.0.att.v1", "blocks.0.att.v2"}},
      // The repositories ship one layer more, which guesses the token after the next.
      {Layout::hugging_face, "qwen3_next", qwen3_next_gates, {"mtp.{...}"}},
      {Layout::gguf, "lfm2", gguf_lfm2, {}},
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
      {Layout::hugging_face, "llama4_text", hf_llama4, {"vision_model.{...}", "multi_modal_projector.{...}"}},
      {Layout::gguf, "bloom", gguf_bloom, {}},
      {Layout::gguf, "bloom", gguf_falcon, {}},
      {Layout::hugging_face, "bloom", hf_bloom, {}},
      {Layout::gguf, "starcoder2", gguf_starcoder2, {}},
      {Layout::gguf, "stablelm", gguf_stablelm, {}},
      {Layout::hugging_face, "stablelm", hf_stablelm, {}},
      {Layout::gguf, "falcon_mamba", gguf_mamba, {}},
      {Layout::gguf, "mamba2", gguf_mamba2, {}},
      {Layout::gguf, "mamba2", gguf_mamba, {}},
      {Layout::hugging_face, "mamba2", hf_mamba2, {}},
      {Layout::gguf, "nemotron_h", gguf_mamba2, {}},
      {Layout::gguf, "nemotron_h", gguf_mamba, {}},
      // The draft head, which guesses the token after the next.
      {Layout::hugging_face, "nemotron_h", hf_nemotron_h, {"mtp.{...}"}},
      {Layout::gguf, "granitemoehybrid", gguf_granite_hybrid, {}},
      {Layout::gguf, "granitemoehybrid", gguf_llama, {}},
      {Layout::gguf, "granitemoehybrid", gguf_jamba, {}},
      {Layout::hugging_face, "granitemoehybrid", hf_granite_hybrid, {}},
      // Copies of the shared blocks, where a file keeps them.
      {Layout::hugging_face, "zamba2", {}, {"model.layers.{}.shared_transformer.{...}"}},
      {Layout::gguf, "olmo3", gguf_norms_after, {}},
      {Layout::hugging_face, "exaone_moe", hf_exaone_moe, {}},
      {Layout::gguf, "gpt2", gguf_gpt2, {}},
      {Layout::gguf, "gpt_neox", gguf_gpt_neox, {}},
      {Layout::gguf, "falcon", gguf_falcon, {}},
      {Layout::gguf, "phi", gguf_phi, {}},
      {Layout::gguf, "phi3", gguf_phi3, {"rope_factors_long.weight", "rope_factors_short.weight"}},
      {Layout::hugging_face,
       "gpt2",
       hf_gpt2,
       {"transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias", "h.{}.attn.bias", "h.{}.attn.masked_bias"}},
      {Layout::hugging_face,
       "gpt_neo",
       {},
       {"transformer.h.{}.attn.attention.bias", "transformer.h.{}.attn.attention.masked_bias"}},
      {Layout::hugging_face, "gptj", {}, {"transformer.h.{}.attn.bias", "transformer.h.{}.attn.masked_bias"}},
      {Layout::hugging_face,
       "gpt_neox",
       hf_gpt_neox,
       {"gpt_neox.layers.{}.attention.bias", "gpt_neox.layers.{}.attention.masked_bias"}},
      {Layout::gguf, "mamba", gguf_mamba, {}},
      {Layout::llama2c, "llama", llama2c, {"freq_cis_real", "freq_cis_imag"}},
      {Layout::hugging_face,
       "gemma3_text",
       hf_gemma3,
       {"vision_tower.{...}", "multi_modal_projector.{...}", "model.vision_tower.{...}",
        "model.multi_modal_projector.{...}"}},
  };
  return all;
}

}  // namespace

Rules rules_of(Layout layout, std::string_view architecture) {
  Rules rules;
  for (const Row& row : rows())
    if (row.layout == layout && row.architecture == architecture) {
      rules.tables.push_back(row.rules);
      rules.ignorable.insert(rules.ignorable.end(), row.ignorable.begin(), row.ignorable.end());
    }
  if (layout == Layout::gguf) {
    rules.tables.emplace_back(gguf_transformer);
    rules.ignorable.push_back("blk.{}.attn_rot_embd");  // frequencies, in files of 2023
  } else if (layout == Layout::hugging_face) {
    rules.ignorable.push_back("{...}.rotary_emb.inv_freq");  // frequencies, in repositories before 2024
  }
  return rules;
}

}  // namespace madang
