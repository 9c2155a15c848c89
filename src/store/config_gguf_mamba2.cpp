// GGUF metadata of Mamba-2 and of the families that mix its layers with others. Which layer is what, and which have
// biases, is read from the tensors that are there.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "store/config_keys.h"
#include "store/gguf.h"

namespace madang {
namespace {

/// The tensor of that name in the first layer that has one.
const StoredTensor* first(const Gguf& g, int64_t layers, std::string_view name) {
  for (int64_t i = 0; i < layers; ++i)
    if (const StoredTensor* t = g.find(fmt::format("blk.{}.{}", i, name))) return t;
  return nullptr;
}

int64_t rows(const StoredTensor* t) { return t && !t->shape.empty() ? t->shape[0] : 0; }

/// A number; where it is a list, the largest: layers without the thing have 0.
int64_t largest(const Gguf& g, const std::string& name) {
  const std::vector<int64_t> all = g.integers(name);
  return all.empty() ? 0 : *std::max_element(all.begin(), all.end());
}

Json types_by_tensors(const Gguf& g, int64_t layers) {
  Json types = Json::array();
  for (int64_t i = 0; i < layers; ++i) {
    auto has = [&](const char* name) { return g.find(fmt::format("blk.{}.{}", i, name)) != nullptr; };
    types.push_back(has("ssm_in.weight")         ? "linear_attention"
                    : has("attn_output.weight")  ? "full_attention"
                    : has("ffn_gate_inp.weight") ? "moe"
                                                 : "mlp");
  }
  return types;
}

void set_granite_hybrid(const Gguf& g, const std::string& prefix, Json& keys) {
  const auto layers = keys["layer_types"].size();
  // The switch for positions has this name in GGUF (llama.cpp, granite-hybrid.cpp).
  if (g.flag(prefix + "rope.scaling.finetuned", true)) keys["position_embedding_type"] = "rope";
  if (!keys.contains("num_local_experts")) keys["num_local_experts"] = keys["num_experts_per_tok"] = 0;
  const StoredTensor* shared = first(g, static_cast<int64_t>(layers), "ffn_up_shexp.weight");
  keys["shared_intermediate_size"] = rows(shared ? shared : first(g, static_cast<int64_t>(layers), "ffn_up.weight"));
  keys["intermediate_size"] = std::max<int64_t>(1, largest(g, prefix + "feed_forward_length"));
  const int64_t heads = g.integer(prefix + "attention.head_count", 0),
                width = g.integer(prefix + "embedding_length", 0);
  if (!keys.contains("attention_multiplier") && heads > 0 && width >= heads)
    keys["attention_multiplier"] = 1 / std::sqrt(static_cast<double>(width / heads));
}

void set_bamba(const Gguf& g, const std::string& prefix, Json& keys) {
  Json attending = Json::array();
  for (size_t i = 0; i < keys["layer_types"].size(); ++i)
    if (keys["layer_types"][i] == "full_attention") attending.push_back(i);
  keys["attn_layer_indices"] = attending;
  keys["intermediate_size"] = std::max<int64_t>(1, largest(g, prefix + "feed_forward_length"));
}

void set_nemotron(const Gguf& g, const std::string& prefix, Json& keys) {
  const auto layers = static_cast<int64_t>(keys["layer_types"].size());
  if (keys.contains("rms_norm_eps")) keys["layer_norm_epsilon"] = keys["rms_norm_eps"];
  const StoredTensor* up = nullptr;
  for (int64_t i = 0; i < layers && !up; ++i)
    if (keys["layer_types"][static_cast<size_t>(i)] == "mlp") up = g.find(fmt::format("blk.{}.ffn_up.weight", i));
  keys["intermediate_size"] = std::max<int64_t>(1, rows(up));
  keys["mlp_bias"] = first(g, layers, "ffn_up.bias") || first(g, layers, "ffn_up_shexp.bias");
  if (keys.contains("shared_expert_intermediate_size"))
    keys["moe_shared_expert_intermediate_size"] = keys["shared_expert_intermediate_size"];
  if (const int64_t n = g.integer(prefix + "moe_latent_size", 0)) keys["moe_latent_size"] = n;
  keys["norm_topk_prob"] = g.flag(prefix + "expert_weights_norm", false);
}

}  // namespace

void set_mamba2(const Gguf& g, const std::string& prefix, int64_t layers, Json& keys) {
  const std::string type = keys["model_type"];
  const int64_t inner = g.integer(prefix + "ssm.inner_size", 0), heads = g.integer(prefix + "ssm.time_step_rank", 0);
  const int64_t width = g.integer(prefix + "embedding_length", 0);
  for (const char* key : {"time_step_rank", "state_size", "conv_kernel", "intermediate_size"}) keys.erase(key);
  if (heads > 0) {
    keys["mamba_n_heads"] = heads, keys["mamba_d_head"] = inner / heads;
    keys["mamba_n_groups"] = g.integer(prefix + "ssm.group_count", 1);
    keys["mamba_d_state"] = g.integer(prefix + "ssm.state_size", 0);
    keys["mamba_d_conv"] = g.integer(prefix + "ssm.conv_kernel", 0);
    if (width > 0) keys["mamba_expand"] = inner / width;
  } else if (type == "granitemoehybrid" && width > 0) {  // attention in all layers: nothing will ask
    keys["mamba_n_heads"] = 1, keys["mamba_d_head"] = 2 * width;
  }
  keys["mamba_conv_bias"] = first(g, layers, "ssm_conv1d.bias") != nullptr;
  keys["mamba_proj_bias"] = first(g, layers, "ssm_in.bias") != nullptr;
  if (type == "mamba2") {
    keys["layer_norm_epsilon"] = keys.value("rms_norm_eps", Json(1e-5));
    return;
  }
  keys["layer_types"] = types_by_tensors(g, layers);
  keys["num_key_value_heads"] = largest(g, prefix + "attention.head_count_kv");
  keys["attention_bias"] = first(g, layers, "attn_output.bias") != nullptr;
  if (type == "nemotron_h") set_nemotron(g, prefix, keys);
  if (type == "granitemoehybrid") set_granite_hybrid(g, prefix, keys);
  if (type == "bamba") set_bamba(g, prefix, keys);
}

}  // namespace madang
