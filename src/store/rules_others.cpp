// Names of the formats in which few architectures come: llama2.c's and rwkv.cpp's files.
#include "store/layouts.h"

namespace madang {
namespace {

// llama2.c: Meta's names, and neighbours turned
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

// RWKV: names of the first implementation are canonical for 5, 6 and 7 (rwkv.cpp keeps them), transformers' for 4.
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

}  // namespace

const std::vector<LayoutRules>& other_rules() {
  static const std::vector<LayoutRules> all = {
      {Layout::rwkv_cpp, "rwkv", rwkv_cpp_rwkv4, {}},
      {Layout::rwkv_cpp, "rwkv5", rwkv_cpp_rwkv5, {}},
      {Layout::rwkv_cpp, "rwkv6", rwkv_cpp_rwkv6, {}},
      // The first layer mixes its values with nothing; some files keep weights for it all the same.
      {Layout::rwkv_cpp, "rwkv7", rwkv_cpp_rwkv7, {"blocks.0.att.v0", "blocks.0.att.v1", "blocks.0.att.v2"}},
      {Layout::llama2c, "llama", llama2c, {"freq_cis_real", "freq_cis_imag"}},
  };
  return all;
}

}  // namespace madang
