// Keys of architectures whose layers, all or some, remember in a fixed size.
#include <algorithm>

#include "store/architecture_keys.h"

namespace madang {
namespace {

/// `value` in layers that attend, 0 in the others: how GGUF says which are which.
std::vector<int32_t> where_attending(const Config& c, int64_t value) {
  std::vector<int32_t> values;
  for (const std::string& kind : c.layer_types())
    values.push_back(kind == "full_attention" ? static_cast<int32_t>(value) : 0);
  return values;
}

void write_kv_heads(ArchitectureKeys& out, const Config& c) {
  out.list("attention.head_count_kv", where_attending(c, c.integer("num_key_value_heads")));
}

/// What llama.cpp asks for where nothing attends and texts have no end.
void write_no_attention(ArchitectureKeys& out) {
  out.put("attention.head_count", int64_t{0});
  out.put("context_length", int64_t{1} << 20);
}

/// llama.cpp has no place for a mixer without the one bias or with the other.
void refuse_biases(ArchitectureKeys& out, const Config& c, const char* conv, const char* projections) {
  if (!c.flag(conv)) out.refuse(conv);
  if (c.flag(projections, false)) out.refuse(projections);
}

void mamba(ArchitectureKeys& out, const Config& c) {
  refuse_biases(out, c, "use_conv_bias", "use_bias");
  if (c.integer("intermediate_size") != 2 * c.integer("hidden_size")) out.refuse("expand");
  write_no_attention(out);
  out.put("feed_forward_length", int64_t{0});
  out.put("attention.layer_norm_rms_epsilon", c.real("layer_norm_epsilon"));
  out.flag("ssm.dt_b_c_rms", c.architecture() == "falcon_mamba");
}

void jamba(ArchitectureKeys& out, const Config& c) {
  const int64_t every = c.integer("attn_layer_period"), first = c.integer("attn_layer_offset");
  std::vector<int32_t> kv_heads;
  for (int64_t i = 0; i < c.integer("num_hidden_layers"); ++i)
    kv_heads.push_back(i % every == first ? static_cast<int32_t>(c.integer("num_key_value_heads")) : 0);
  out.list("attention.head_count_kv", kv_heads);
  out.put("ssm.conv_kernel", c.integer("mamba_d_conv")), out.put("ssm.state_size", c.integer("mamba_d_state"));
  out.put("ssm.inner_size", c.integer("mamba_expand") * c.integer("hidden_size"));
  out.put("ssm.time_step_rank", c.integer("mamba_dt_rank"));
}

void lfm2(ArchitectureKeys& out, const Config& c) {
  if (c.flag("conv_bias")) out.refuse("conv_bias");
  write_kv_heads(out, c);
  out.put("shortconv.l_cache", c.integer("conv_L_cache"));
  out.put("attention.layer_norm_rms_epsilon", c.real("norm_eps"));
}

/// Mamba-2's sizes, as all families that have its layers say them.
void mamba2_sizes(ArchitectureKeys& out, const Config& c) {
  refuse_biases(out, c, "mamba_conv_bias", "mamba_proj_bias");
  const int64_t heads = c.integer("mamba_n_heads");
  out.put("ssm.conv_kernel", c.integer("mamba_d_conv")), out.put("ssm.state_size", c.integer("mamba_d_state"));
  out.put("ssm.inner_size", heads * c.integer("mamba_d_head")), out.put("ssm.time_step_rank", heads);
  out.put("ssm.group_count", c.integer("mamba_n_groups"));
}

void mamba2(ArchitectureKeys& out, const Config& c) {
  mamba2_sizes(out, c), write_no_attention(out);
  out.put("feed_forward_length", int64_t{0});
  out.put("attention.layer_norm_rms_epsilon", c.real("layer_norm_epsilon"));
}

void granite_hybrid(ArchitectureKeys& out, const Config& c) {
  const bool rotates = c.text("position_embedding_type", "") == "rope";
  if (gguf_architecture(c) == "granitehybrid") {
    mamba2_sizes(out, c), write_kv_heads(out, c);
    if (c.integer("mamba_expand") != 2) out.refuse("mamba_expand");
    out.flag("rope.scaling.finetuned", rotates);  // llama.cpp's switch for it
  } else if (!rotates) {
    out.refuse("position_embedding_type");
  }
  const bool sparse = c.integer("num_local_experts") > 0;
  out.put(sparse ? "expert_shared_feed_forward_length" : "feed_forward_length", c.integer("shared_intermediate_size"));
}

/// llama.cpp tells the layers apart by what they have: heads, or hidden units, or neither. Both kinds of hidden units
/// are one to it: experts if the model has any.
void nemotron_h(ArchitectureKeys& out, const Config& c) {
  mamba2_sizes(out, c), write_kv_heads(out, c);
  std::vector<int32_t> hidden;
  bool dense = false, sparse = false;
  for (const std::string& kind : c.layer_types()) {
    dense |= kind == "mlp", sparse |= kind == "moe";
    const int64_t n = kind == "mlp"   ? c.integer("intermediate_size")
                      : kind == "moe" ? c.integer("moe_intermediate_size")
                                      : 0;
    hidden.push_back(static_cast<int32_t>(n));
  }
  if (dense && sparse) out.refuse("layer_types");
  out.list("feed_forward_length", hidden);
  out.put("attention.layer_norm_epsilon", c.real("layer_norm_epsilon"));
  out.put("attention.layer_norm_rms_epsilon", c.real("layer_norm_epsilon"));
  if (!sparse) return;
  if (c.flag("mlp_bias", false)) out.refuse("mlp_bias");
  out.put("expert_shared_feed_forward_length", c.integer("moe_shared_expert_intermediate_size"));
  out.flag("expert_weights_norm", c.flag("norm_topk_prob"));
  if (c.has("moe_latent_size")) out.put("moe_latent_size", c.integer("moe_latent_size"));
}

void qwen3_next(ArchitectureKeys& out, const Config& c) {
  const int64_t heads = c.integer("linear_num_value_heads"), head = c.integer("linear_value_head_dim");
  if (c.integer("linear_key_head_dim") != head) out.refuse("linear_value_head_dim");  // llama.cpp has one size for both
  if (c.integer("decoder_sparse_step", 1) != 1) out.refuse("decoder_sparse_step");
  if (!c.flag("norm_topk_prob")) out.refuse("norm_topk_prob");
  std::vector<bool> recurrent;
  for (const std::string& kind : c.layer_types()) recurrent.push_back(kind == "linear_attention");
  out.flags("attention.recurrent_layers", recurrent);
  out.put("ssm.conv_kernel", c.integer("linear_conv_kernel_dim")), out.put("ssm.state_size", head);
  out.put("ssm.group_count", c.integer("linear_num_key_heads"));
  out.put("ssm.time_step_rank", heads), out.put("ssm.inner_size", heads * head);
}

void rwkv(ArchitectureKeys& out, const Config& c) {
  write_no_attention(out);
  out.put("feed_forward_length", c.integer("intermediate_size", 4 * c.integer("hidden_size")));
  out.put("attention.layer_norm_epsilon", c.real("layer_norm_epsilon"));
  // Of one layer alone there are no values to mix; llama.cpp asks all the same.
  if (c.architecture() == "rwkv7" && !c.has("v_low_rank_dim"))
    out.put("attention.value_residual_mix_lora_rank", c.integer("a_low_rank_dim"));
}

constexpr struct {
  std::string_view architecture;
  void (*write)(ArchitectureKeys& out, const Config& config);
} writers[] = {{"mamba", mamba},
               {"falcon_mamba", mamba},
               {"jamba", jamba},
               {"lfm2", lfm2},
               {"mamba2", mamba2},
               {"granitemoehybrid", granite_hybrid},
               {"nemotron_h", nemotron_h},
               {"qwen3_next", qwen3_next},
               {"rwkv6", rwkv},
               {"rwkv7", rwkv}};

}  // namespace

void write_recurrent(ArchitectureKeys& out, const Config& config) {
  for (const auto& [architecture, write] : writers)
    if (architecture == config.architecture()) write(out, config);
}

}  // namespace madang
