// Where Hugging Face repositories keep weights otherwise than the layers ask for them: most need no rules. Names of
// GGUF files are in rules_gguf.cpp.
#include "store/layouts.h"

namespace madang {
namespace {

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

// Codestral Mamba puts a prefix before all; the first Mamba-2 files have one letter less.
constexpr Rule hf_mamba2[] = {
    {.name = "backbone.embeddings.weight", .stored = "backbone.embedding.weight", .old = true},
    {"backbone.{...}", "model.backbone.{...}"},
    {"lm_head.weight", "model.lm_head.weight"},
};

// Puzzle and what transformers itself writes: another prefix.
constexpr Rule hf_nemotron_h[] = {{"backbone.{...}", "model.{...}"}};

// StableLM 2 12B: every head has a norm of its own.
constexpr Rule hf_stablelm[] = {
    {"model.layers.{}.self_attn.q_layernorm.weight", "model.layers.{}.self_attn.q_layernorm.norms.*.weight", stack},
    {"model.layers.{}.self_attn.k_layernorm.weight", "model.layers.{}.self_attn.k_layernorm.norms.*.weight", stack},
};

constexpr Rule hf_exaone_moe[] = {
    {"model.layers.{}.mlp.gate.e_score_correction_bias", "model.layers.{}.mlp.e_score_correction_bias"},
};

// Some repositories leave the prefix out.
constexpr Rule hf_bloom[] = {{"transformer.{...}", "{...}"}};

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

// Hugging Face: repositories that also see keep the language model one level down
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

}  // namespace

const std::vector<LayoutRules>& hugging_face_rules() {
  static const std::vector<LayoutRules> all = {
      {Layout::hugging_face, "exaone", hf_exaone, {"transformer.rotary.inv_freq"}},
      {Layout::hugging_face, "gpt_oss", hf_gpt_oss, {}},
      {Layout::hugging_face, "deepseek_v2", hf_deepseek, {}},
      {Layout::hugging_face, "deepseek_v3", hf_deepseek, {}},
      // mtp: a draft head, which guesses the token after the next.
      {Layout::hugging_face, "qwen3_next", qwen3_next_gates, {"mtp.{...}"}},
      {Layout::hugging_face, "llama4_text", hf_llama4, {"vision_model.{...}", "multi_modal_projector.{...}"}},
      {Layout::hugging_face, "bloom", hf_bloom, {}},
      {Layout::hugging_face, "stablelm", hf_stablelm, {}},
      {Layout::hugging_face, "mamba2", hf_mamba2, {}},
      {Layout::hugging_face, "nemotron_h", hf_nemotron_h, {"mtp.{...}"}},
      {Layout::hugging_face, "granitemoe", hf_granite_hybrid, {}},
      {Layout::hugging_face, "granitemoehybrid", hf_granite_hybrid, {}},
      // Copies of the shared blocks, where a file keeps them.
      {Layout::hugging_face, "zamba2", {}, {"model.layers.{}.shared_transformer.{...}"}},
      {Layout::hugging_face, "exaone_moe", hf_exaone_moe, {"mtp.{...}"}},
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
      {Layout::hugging_face,
       "gemma3_text",
       hf_gemma3,
       {"vision_tower.{...}", "multi_modal_projector.{...}", "model.vision_tower.{...}",
        "model.multi_modal_projector.{...}"}},
  };
  return all;
}

}  // namespace madang
