// What the layers of the first six architectures ask for, written down from the papers and the repositories and apart
// from src/models, so that a file can be judged without a model.
#pragma once
#include "store/scope.h"

namespace madang::test {

inline void ask_linear(const Scope& s, int64_t in, int64_t out, bool bias) {
  s.weight("weight", out, in);
  if (bias) s.vector("bias", out);
}

inline void ask_attention(const Scope& s, const Config& c, bool qkv_bias, bool out_bias, bool head_norm) {
  const int64_t width = c.integer("hidden_size"), head = c.integer("head_dim");
  const int64_t q = c.integer("num_attention_heads") * head, kv = c.integer("num_key_value_heads") * head;
  ask_linear(s / "q_proj", width, q, qkv_bias);
  ask_linear(s / "k_proj", width, kv, qkv_bias);
  ask_linear(s / "v_proj", width, kv, qkv_bias);
  ask_linear(s / "o_proj", q, width, out_bias);
  if (head_norm) (s / "q_norm").vector("weight", head), (s / "k_norm").vector("weight", head);
}

inline void ask_mlp(const Scope& s, int64_t width, int64_t hidden, bool bias, const char* gate, const char* up,
                    const char* down) {
  ask_linear(s / gate, width, hidden, bias);
  ask_linear(s / up, width, hidden, bias);
  ask_linear(s / down, hidden, width, bias);
}

inline void ask_transformer(const Scope& root, const Config& c) {
  const std::string& kind = c.architecture();
  const int64_t width = c.integer("hidden_size"), hidden = c.integer("intermediate_size");
  const bool bias = c.flag("attention_bias", false), gemma = kind == "gemma3_text";
  root.weight("model.embed_tokens.weight", c.integer("vocab_size"), width);
  root.vector("model.norm.weight", width);
  if (root.has("lm_head.weight")) root.weight("lm_head.weight", c.integer("vocab_size"), width);
  if (root.has("rope_freqs.weight")) root.vector("rope_freqs.weight", c.integer("head_dim") / 2);
  for (int64_t i = 0; i < c.integer("num_hidden_layers"); ++i) {
    const Scope layer = root / "model" / "layers" / i;
    layer.vector("input_layernorm.weight", width);
    layer.vector("post_attention_layernorm.weight", width);
    if (gemma)
      layer.vector("pre_feedforward_layernorm.weight", width), layer.vector("post_feedforward_layernorm.weight", width);
    ask_attention(layer / "self_attn", c, bias || kind == "qwen2", bias, gemma);
    if (kind == "mixtral") {
      const Scope moe = layer / "block_sparse_moe";
      moe.weight("gate.weight", c.integer("num_local_experts"), width);
      for (int64_t e = 0; e < c.integer("num_local_experts"); ++e)
        ask_mlp(moe / "experts" / e, width, hidden, false, "w1", "w3", "w2");
    } else {
      ask_mlp(layer / "mlp", width, hidden, c.flag("mlp_bias", false), "gate_proj", "up_proj", "down_proj");
    }
  }
}

inline void ask_mamba(const Scope& root, const Config& c) {
  const int64_t width = c.integer("hidden_size"), inner = c.integer("intermediate_size"), n = c.integer("state_size");
  const int64_t rank = c.integer("time_step_rank");
  root.weight("backbone.embeddings.weight", c.integer("vocab_size"), width);
  root.vector("backbone.norm_f.weight", width);
  if (root.has("lm_head.weight")) root.weight("lm_head.weight", c.integer("vocab_size"), width);
  for (int64_t i = 0; i < c.integer("num_hidden_layers"); ++i) {
    const Scope layer = root / "backbone.layers" / i, mixer = layer / "mixer";
    layer.vector("norm.weight", width);
    ask_linear(mixer / "in_proj", width, 2 * inner, c.flag("use_bias"));
    ask_linear(mixer / "x_proj", inner, rank + 2 * n, false);
    ask_linear(mixer / "dt_proj", rank, inner, true);
    ask_linear(mixer / "out_proj", inner, width, c.flag("use_bias"));
    mixer.tensor("conv1d.weight", {inner, c.integer("conv_kernel")});
    if (c.flag("use_conv_bias")) mixer.vector("conv1d.bias", inner);
    mixer.tensor("A_log", {inner, n});
    mixer.vector("D", inner);
  }
}

/// Everything, and nothing left.
inline void ask_all(const std::shared_ptr<const Source>& source, const Config& c) {
  WeightStore store(source, c);
  c.architecture() == "mamba" ? ask_mamba(store.root(), c) : ask_transformer(store.root(), c);
  store.finish();
}

}  // namespace madang::test
