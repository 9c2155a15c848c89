// GGUF metadata in the keys of transformers. What the file does not say and llama.cpp knows by architecture is filled
// in here or, where it equals transformers' own default, in config_defaults.cpp.
#include <algorithm>

#include "base/error.h"
#include "store/bounds.h"
#include "store/config.h"
#include "store/config_keys.h"
#include "store/gguf.h"
#include "store/gguf_keys.h"

namespace madang {
namespace {

std::string model_type_of(const Gguf& g) {
  const std::string_view name = g.architecture();
  if (name == "llama" && g.integer("llama.expert_count", 0) > 0) return "mixtral";  // one architecture in GGUF
  if (name == "mamba" && g.flag("mamba.ssm.dt_b_c_rms", false)) return "falcon_mamba";
  if (name == "olmo2" && g.integer("olmo2.attention.sliding_window", 0) > 0) return "olmo3";  // it alone has windows
  // Gating 2 is the sigmoid of V3; files before it say nothing.
  if (name == "deepseek2") return g.integer("deepseek2.expert_gating_func", 1) == 2 ? "deepseek_v3" : "deepseek_v2";
  // Bamba's files have the name of Granite's hybrids; it alone turns heads (half of each, though they say the whole)
  // and has no scale of its own.
  if (name == "granitehybrid" && g.flag("granitehybrid.rope.scaling.finetuned", false) &&
      !g.has("granitehybrid.attention.scale"))
    return "bamba";
  // Granite 4 in sizes that only attend has the name of Granite 3 with experts; beside them, or in their place, it has
  // an MLP.
  if (name == "granitemoe" && !g.find("blk.0.ffn_up_shexp.weight") && !g.find("blk.0.ffn_up.weight"))
    return "granitemoe";
  // Solar Open is a GLM-4 MoE without norms on heads and biases; the others are not built.
  if (name == "glm4moe" && (g.find("blk.0.attn_q_norm.weight") || g.find("blk.0.attn_q.bias"))) return "glm4_moe";
  for (const GgufName& n : gguf_names)
    if (n.gguf == name) return std::string(n.model_type);
  return std::string(name);
}

void copy(const Gguf& g, const std::string& prefix, std::span<const GgufRow> table, Json& keys) {
  for (const GgufRow& row : table) {
    const std::string name = prefix + row.metadata;
    if (!g.has(name)) continue;
    if (g.value(name)->type == GgufType::array) {  // one number a layer: whoever wants a single one says so
      keys[row.key] = g.integers(name);
    } else if (row.whole) {
      if (const int64_t n = g.integer(name)) keys[row.key] = n;
    } else if (const double x = g.real(name); x != 0) {
      keys[row.key] = x;
    }
  }
}

/// A number; 0 if it is absent or a list.
int64_t one(const Json& keys, const char* key) {
  return keys.contains(key) && keys.at(key).is_number_integer() ? keys.at(key).get<int64_t>() : 0;
}

/// Layers behind the last, which guess the token after the next, count as blocks in GGUF.
void set_layers(const Gguf& g, const std::string& prefix, Json& keys) {
  const int64_t guessing = g.integer(prefix + "nextn_predict_layers", 0), blocks = one(keys, "num_hidden_layers");
  if (guessing == 0) return;
  if (guessing < 0 || guessing >= blocks)
    refuse("nextn_predict_layers", g.path(), fmt::format("< {}", blocks), guessing);
  keys["num_hidden_layers"] = blocks - guessing, keys["num_nextn_predict_layers"] = guessing;
}

/// A small tensor as a list of numbers.
Json numbers(const StoredTensor& t) {
  if (!t.format || t.numel() > 1 << 16)
    throw Error(Kind::mismatch, say("tensor {} has the wrong shape", shown(t.name))).found(t.shape_text());
  std::vector<float> values(static_cast<size_t>(t.numel()));
  t.format->decode(t.bytes.data(), t.numel(), values.data());
  return values;
}

Json rope_scaling(const Gguf& g, const std::string& prefix) {
  Json rope = Json::object();
  copy(g, prefix, gguf_rope_rows, rope);
  const StoredTensor *shorter = g.find("rope_factors_short.weight"), *longer = g.find("rope_factors_long.weight");
  if (shorter && longer) {
    rope["rope_type"] = "longrope", rope["short_factor"] = numbers(*shorter), rope["long_factor"] = numbers(*longer);
    if (g.architecture() == "phimoe" && rope.contains("attention_factor"))  // has names of its own for it
      rope["short_mscale"] = rope["long_mscale"] = rope["attention_factor"];
    return rope;
  }
  const std::string_view type = g.text(prefix + "rope.scaling.type", rope.contains("factor") ? "linear" : "none");
  if (type == "none") return Json();
  rope["rope_type"] = std::string(type);
  if (const std::string name = prefix + "rope.scaling.yarn_log_multiplier"; g.has(name))  // 0.1 * mscale
    rope["mscale"] = rope["mscale_all_dim"] = 10 * g.real(name);
  if (g.architecture() == "gpt-oss") rope["truncate"] = false;
  return rope;
}

void set_windows(const Gguf& g, const std::string& prefix, Json& keys) {
  const std::string name = prefix + "attention.sliding_window_pattern";
  if (!g.has(name)) return;
  if (g.value(name)->type != GgufType::array) {
    keys["sliding_window_pattern"] = g.integer(name);
    return;
  }
  Json types = Json::array();
  for (int64_t sliding : g.integers(name)) types.push_back(sliding ? "sliding_attention" : "full_attention");
  keys["layer_types"] = types;
}

void set_tokens(const Gguf& g, Json& keys) {
  constexpr GgufRow ids[] = {{"bos_token_id", "bos_token_id", true},
                             {"eos_token_id", "eos_token_id", true},
                             {"padding_token_id", "pad_token_id", true}};
  for (const GgufRow& id : ids) {
    const std::string name = std::string("tokenizer.ggml.") + id.metadata;
    keys[id.key] = g.has(name) ? Json(g.integer(name)) : Json();
  }
}

/// How often a thing comes among layers and where first, from the layers that have it.
void set_period(const std::vector<int64_t>& has, const std::string& name, Json& keys) {
  std::vector<size_t> at;
  for (size_t i = 0; i < has.size(); ++i)
    if (has[i] != 0) at.push_back(i);
  keys[name + "_offset"] = at.empty() ? has.size() : at[0];
  keys[name + "_period"] = at.size() > 1 ? at[1] - at[0] : has.size() + 1;
}

/// Jamba: GGUF says layer by layer what repositories say in periods, and the same word is the size of two things.
void set_jamba(const Gguf& g, const std::string& prefix, Json& keys) {
  const std::vector<int64_t> kv_heads = g.integers(prefix + "attention.head_count_kv");
  std::vector<int64_t> routers;
  for (size_t i = 0; i < kv_heads.size(); ++i)
    routers.push_back(g.find(fmt::format("blk.{}.ffn_gate_inp.weight", i)) != nullptr);
  set_period(kv_heads, "attn_layer", keys), set_period(routers, "expert_layer", keys);
  keys["num_key_value_heads"] = kv_heads.empty() ? 0 : *std::max_element(kv_heads.begin(), kv_heads.end());
  const int64_t width = g.integer(prefix + "embedding_length", 0), inner = g.integer(prefix + "ssm.inner_size", 0);
  keys["intermediate_size"] = g.integer(prefix + "feed_forward_length", 0);
  keys["mamba_expand"] = width > 0 ? inner / width : 0;
  keys["mamba_d_state"] = g.integer(prefix + "ssm.state_size", 0);
  keys["mamba_d_conv"] = g.integer(prefix + "ssm.conv_kernel", 0);
  keys["mamba_dt_rank"] = g.integer(prefix + "ssm.time_step_rank", 0);
  keys["mamba_conv_bias"] = keys["mamba_proj_bias"] = false;
  for (size_t i = 0; i < kv_heads.size(); ++i) {
    if (g.find(fmt::format("blk.{}.ssm_conv1d.bias", i))) keys["mamba_conv_bias"] = true;
    if (g.find(fmt::format("blk.{}.ssm_in.bias", i))) keys["mamba_proj_bias"] = true;
  }
}

/// LFM2: layers without keys and values convolve.
void set_lfm2(const Gguf& g, const std::string& prefix, Json& keys) {
  const std::vector<int64_t> kv_heads = g.integers(prefix + "attention.head_count_kv");
  Json types = Json::array();
  keys["conv_bias"] = false;
  for (size_t i = 0; i < kv_heads.size(); ++i) {
    types.push_back(kv_heads[i] > 0 ? "full_attention" : "conv");
    if (g.find(fmt::format("blk.{}.shortconv.conv.bias", i))) keys["conv_bias"] = true;
  }
  keys["layer_types"] = types;
  keys["num_key_value_heads"] = kv_heads.empty() ? 0 : *std::max_element(kv_heads.begin(), kv_heads.end());
  keys["conv_L_cache"] = g.integer(prefix + "shortconv.l_cache", 0);
  keys["block_auto_adjust_ff_dim"] = false;  // done by the converter
  if (keys.contains("rms_norm_eps")) keys["norm_eps"] = keys["rms_norm_eps"];
}

/// Qwen3-Next: the delta rule's sizes under the names of a scan's.
void set_qwen3_next(const Gguf& g, const std::string& prefix, Json& keys) {
  const int64_t layers = std::clamp<int64_t>(one(keys, "num_hidden_layers"), 0, 1 << 12);
  const int64_t inner = g.integer(prefix + "ssm.inner_size", 0), heads = g.integer(prefix + "ssm.time_step_rank", 0);
  for (const char* key : {"time_step_rank", "state_size", "conv_kernel"}) keys.erase(key);
  keys["intermediate_size"] = std::max<int64_t>(1, g.integer(prefix + "feed_forward_length", 1));
  keys["linear_conv_kernel_dim"] = g.integer(prefix + "ssm.conv_kernel", 0);
  keys["linear_key_head_dim"] = g.integer(prefix + "ssm.state_size", 0);
  keys["linear_num_key_heads"] = g.integer(prefix + "ssm.group_count", 0);
  keys["linear_num_value_heads"] = heads, keys["linear_value_head_dim"] = heads > 0 ? inner / heads : 0;
  keys["norm_topk_prob"] = true, keys["attention_bias"] = false;  // known by architecture
  const std::string listed = prefix + "attention.recurrent_layers";
  const int64_t interval = std::max<int64_t>(1, g.integer(prefix + "full_attention_interval", 4));
  const std::vector<int64_t> recurrent = g.has(listed) ? g.integers(listed) : std::vector<int64_t>();
  Json types = Json::array();
  for (int64_t i = 0; i < layers; ++i) {
    const auto at = static_cast<size_t>(i);
    const bool remembers = at < recurrent.size() ? recurrent[at] != 0 : (i + 1) % interval != 0;
    types.push_back(remembers ? "linear_attention" : "full_attention");
  }
  keys["layer_types"] = types;
}

/// DeepSeek: sizes of heads, and how experts are chosen.
void set_latent(const Gguf& g, const std::string& prefix, Json& keys) {
  const bool absorbed = g.has(prefix + "attention.key_length_mla");  // kv_b split by head, since 2025-04
  const std::string mla = absorbed ? "_mla" : "";
  const int64_t rotary = g.integer(prefix + "rope.dimension_count", 0);
  keys["qk_rope_head_dim"] = rotary;
  keys["qk_nope_head_dim"] = g.integer(prefix + "attention.key_length" + mla, 0) - rotary;
  keys["v_head_dim"] = g.integer(prefix + "attention.value_length" + mla, 0);
  keys["head_dim"] = rotary;
  keys["num_key_value_heads"] = keys["num_attention_heads"];
  if (!keys.contains("q_lora_rank")) keys["q_lora_rank"] = nullptr;
  if (!keys.contains("first_k_dense_replace")) keys["first_k_dense_replace"] = 0;
  keys["norm_topk_prob"] = g.flag(prefix + "expert_weights_norm", false);
  keys["topk_method"] = keys.value("n_group", Json(1)) == 1 ? "greedy" : "group_limited_greedy";
}

/// EXAONE MoE and Solar Open: experts as DeepSeek-V3 has them.
void set_sigmoid_experts(const Gguf& g, const std::string& prefix, Json& keys) {
  constexpr int64_t sigmoid = 2;  // llama.cpp's number
  const std::string scored = prefix + "expert_gating_func";
  if (g.integer(scored, sigmoid) != sigmoid)
    throw Error(Kind::unsupported, say("this model's experts are scored in a way that madang does not know"))
        .at(g.path())
        .expected(fmt::format("{} {}", scored, sigmoid))
        .found(std::to_string(g.integer(scored)));
  keys["norm_topk_prob"] = g.flag(prefix + "expert_weights_norm", true);
  if (!keys.contains("first_k_dense_replace")) keys["first_k_dense_replace"] = 0;
}

/// What repositories say in keys and GGUF files in which tensors they hold.
void set_forms(const Gguf& g, const std::string& prefix, Json& keys) {
  const std::string type = keys["model_type"];
  if (keys.contains("layer_norm_eps")) keys["layer_norm_epsilon"] = keys["layer_norm_eps"];
  if (type == "exaone" && keys.contains("rms_norm_eps")) keys["layer_norm_epsilon"] = keys["rms_norm_eps"];
  if (type == "gpt_neox") keys["use_parallel_residual"] = g.flag(prefix + "use_parallel_residual", true);
  if (type == "phi") keys["qk_layernorm"] = g.find("blk.0.attn_q_norm.weight") != nullptr;
  if (type == "falcon") {
    keys["new_decoder_architecture"] = true, keys["parallel_attn"] = true;
    keys["num_ln_in_parallel_attn"] = g.find("blk.0.attn_norm_2.weight") ? 2 : 1;
    keys["bias"] = g.find("blk.0.attn_qkv.bias") != nullptr;
  }
  if (type == "glm4") {
    // Rows of q and k lie another way in files of models that also see.
    if (g.has(prefix + "rope.dimension_sections"))
      throw Error(Kind::unsupported, say("madang does not read GLM-4 files that were made for pictures too"))
          .at(g.path())
          .found(prefix + "rope.dimension_sections");
    keys["attention_bias"] = g.find("blk.0.attn_q.bias") != nullptr;  // on q, k and v alone
  }
  if (type == "starcoder2") keys["use_bias"] = g.find("blk.0.attn_output.bias") != nullptr;
  if (type == "stablelm") {
    keys["use_parallel_residual"] = g.flag(prefix + "use_parallel_residual", true);
    keys["use_qkv_bias"] = g.find("blk.0.attn_q.bias") != nullptr;
    keys["qk_layernorm"] = g.find("blk.0.attn_q_norm.weight") != nullptr;
  }
  if (type == "llama4_text") {
    keys["intermediate_size_mlp"] = keys["intermediate_size"];
    keys["intermediate_size"] = keys["moe_intermediate_size"];
    keys["interleave_moe_layer_step"] = g.integer(prefix + "interleave_moe_layer_step", 1);
    // Maverick, of 128 experts, has no norms on q and k; known by that number.
    keys["use_qk_norm"] = keys["num_local_experts"] != 128;
  }
  if (type == "jamba") set_jamba(g, prefix, keys);
  if (type == "lfm2") set_lfm2(g, prefix, keys);
  if (type == "qwen3_next") set_qwen3_next(g, prefix, keys);
  if (type == "mamba2" || type == "bamba" || type == "granitemoehybrid" || type == "nemotron_h")
    set_mamba2(g, prefix, std::clamp<int64_t>(one(keys, "num_hidden_layers"), 0, 1 << 12), keys);
  if (type == "exaone_moe" || type == "solar_open") set_sigmoid_experts(g, prefix, keys);
  if (type == "phimoe") keys["lm_head_bias"] = g.find("output.bias") != nullptr;
  if (type.starts_with("deepseek")) set_latent(g, prefix, keys);
  if (type == "cohere" || type == "cohere2") {
    if (keys.contains("logits_scaling")) keys["logit_scale"] = keys["logits_scaling"];
    keys["use_qk_norm"] = g.find("blk.0.attn_q_norm.weight") != nullptr;
  }
}

}  // namespace

Config config_of_gguf(const Gguf& g) {
  const std::string prefix = std::string(g.architecture()) + ".";
  Json keys = {{"model_type", model_type_of(g)}, {"source_format", "gguf"}, {"rms_norm_offset", 0}};
  copy(g, prefix, gguf_rows, keys);
  set_layers(g, prefix, keys);
  const StoredTensor* embedding = g.find("token_embd.weight");
  if (embedding && embedding->shape.size() == 2) keys["vocab_size"] = embedding->shape[0];
  keys["tie_word_embeddings"] = g.find("output.weight") == nullptr;
  keys["attention_bias"] = g.find("blk.0.attn_output.bias") != nullptr;  // on q, k, v and o; Qwen 2 has three always
  keys["mlp_bias"] = g.find("blk.0.ffn_up.bias") != nullptr;
  set_tokens(g, keys);
  set_forms(g, prefix, keys);
  if (keys["model_type"] == "mamba2") return Config(keys, g.path());
  if (keys["model_type"] == "mamba" || keys["model_type"] == "falcon_mamba") {
    keys["layer_norm_epsilon"] = keys.contains("rms_norm_eps") ? keys["rms_norm_eps"] : Json(1e-5);
    keys["use_conv_bias"] = g.find("blk.0.ssm_conv1d.bias") != nullptr;
    keys["use_bias"] = g.find("blk.0.ssm_in.bias") != nullptr;
    return Config(keys, g.path());
  }
  if (keys["model_type"] == "rwkv6" || keys["model_type"] == "rwkv7") return Config(keys, g.path());
  // What a file leaves out is 10000, the same for all architectures, unlike in transformers.
  if (!keys.contains("rope_theta")) keys["rope_theta"] = 10000.0;
  keys["rope_scaling"] = rope_scaling(g, prefix);
  set_windows(g, prefix, keys);
  // Windows: on if the file names one. Qwen 2 repositories also need a switch, and GGUF has none.
  if (keys.contains("sliding_window")) keys["use_sliding_window"] = true, keys["max_window_layers"] = 0;
  if (!keys.contains("sliding_window")) keys["sliding_window"] = nullptr;
  const int64_t heads = one(keys, "num_attention_heads"), width = one(keys, "hidden_size");
  if (!keys.contains("head_dim") && heads > 0) keys["head_dim"] = width / heads;
  if (keys["model_type"] == "qwen3_moe") keys["norm_topk_prob"] = true;  // known by architecture
  // Attention's scale is not in the file: 1 / sqrt(head size), except in the 27B models, known by their layers.
  const int64_t largest = keys["model_type"] == "gemma2" ? 46 : keys["model_type"] == "gemma3_text" ? 62 : 0;
  if (largest && keys.contains("head_dim"))
    keys["query_pre_attn_scalar"] =
        one(keys, "num_hidden_layers") == largest && heads > 0 ? Json(width / heads) : keys["head_dim"];
  const int64_t rotated = g.integer(prefix + "rope.dimension_count", 0), head = one(keys, "head_dim");
  if (rotated > 0 && head > 0 && rotated < head) keys["partial_rotary_factor"] = rotary_fraction(rotated, head);
  return Config(keys, g.path());
}

}  // namespace madang
