#include "store/config_to_gguf.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "store/architecture_keys.h"
#include "store/gguf_keys.h"

namespace madang {
namespace {

/// What llama.cpp can load, by the names of config.json.
constexpr std::string_view written[] = {"llama",       "mistral",
                                        "mixtral",     "qwen2",
                                        "qwen2_moe",   "qwen3",
                                        "qwen3_moe",   "granite",
                                        "olmo2",       "olmo3",
                                        "exaone",      "exaone4",
                                        "gemma",       "gemma2",
                                        "gemma3_text", "gpt2",
                                        "gpt_neox",    "falcon",
                                        "phi",         "phi3",
                                        "phimoe",      "cohere",
                                        "cohere2",     "gpt_oss",
                                        "deepseek_v2", "deepseek_v3",
                                        "jamba",       "llama4_text",
                                        "bloom",       "starcoder2",
                                        "stablelm",    "mamba",
                                        "smollm3",     "lfm2",
                                        "glm4",        "falcon_mamba",
                                        "mamba2",      "granitemoehybrid",
                                        "nemotron_h",  "qwen3_next",
                                        "rwkv6",       "rwkv7",
                                        "exaone_moe",  "solar_open",
                                        "granitemoe"};

/// What llama.cpp has a name for and computes otherwise: its own files of Bamba give other logits than the model.
constexpr std::string_view computed_otherwise[] = {"bamba"};

bool is(const Config& c, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, c.architecture()) != names.end();
}

/// Whether attention turns anything.
bool rotates(const Config& c) {
  if (is(c, {"granitemoehybrid"}) && c.text("position_embedding_type", "") != "rope") return false;
  return c.has("rope_parameters") && !is(c, {"jamba", "gpt2", "bloom", "nemotron_h"});
}

bool has_layer(const Config& c, std::string_view kind) {
  const std::vector<std::string> kinds = c.layer_types();
  return std::ranges::find(kinds, kind) != kinds.end();
}

bool has_experts(const Config& c) {
  return is(c, {"nemotron_h"}) ? has_layer(c, "moe") : c.integer("num_local_experts", 0) > 0;
}

/// Keys that mean nothing to an architecture.
bool left_out(const Config& c, std::string_view metadata) {
  if (!rotates(c) && metadata.starts_with("rope.")) return true;
  if (!has_experts(c) && metadata.starts_with("expert_")) return true;
  return metadata.starts_with("ssm.") && !is(c, {"mamba", "falcon_mamba"});
}

class Writing {
 public:
  Writing(GgufHeader& out, const Config& config) : out_(out, config), c_(config) {}

  void run() {
    if (c_.has("mlp_only_layers") && !c_.keys().at("mlp_only_layers").empty()) out_.refuse("mlp_only_layers");
    write_recurrent(out_, c_);
    sizes(), experts(), forms(), positions(), windows();
    for (const GgufRow& row : gguf_rows) {
      if (!c_.has(row.key) || !c_.keys().at(row.key).is_number() || left_out(c_, row.metadata)) continue;
      if (row.whole)
        put(row.metadata, c_.integer(row.key));
      else
        put(row.metadata, c_.real(row.key));
    }
  }

 private:
  void put(std::string_view key, int64_t value) { out_.put(key, value); }
  void put(std::string_view key, double value) { out_.put(key, value); }

  void sizes() {
    put("vocab_size", c_.integer("vocab_size"));
    if (!c_.has("num_attention_heads")) return;
    const bool latent = c_.has("kv_lora_rank");
    if (!latent) put("attention.value_length", c_.integer("head_dim"));
    if (c_.has("layer_norm_epsilon") && !c_.has("layer_norm_eps") && !c_.has("rms_norm_eps"))
      put(is(c_, {"exaone"}) ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
          c_.real("layer_norm_epsilon"));
    if (!latent) return;
    // Absorbed attention: one key and value head, the latent.
    const int64_t rank = c_.integer("kv_lora_rank"), rotary = c_.integer("qk_rope_head_dim");
    put("attention.head_count_kv", int64_t{1});
    put("attention.key_length", rank + rotary), put("attention.value_length", rank);
    put("attention.key_length_mla", c_.integer("qk_nope_head_dim") + rotary);
    put("attention.value_length_mla", c_.integer("v_head_dim"));
  }

  void positions() {
    if (!rotates(c_)) return;
    const std::vector<std::string> kinds = c_.layer_types();
    const bool full = std::ranges::find(kinds, "full_attention") != kinds.end();
    const RopeParameters rope = c_.rope(full || kinds.empty() ? "full_attention" : kinds[0]);
    put("rope.freq_base", rope.theta);
    if (is(c_, {"gemma3_text", "olmo3"})) put("rope.freq_base_swa", c_.rope("sliding_attention").theta);
    put("rope.dimension_count",
        static_cast<int64_t>(static_cast<double>(c_.integer("head_dim")) * rope.partial_rotary_factor));
    if (rope.original_max_position_embeddings > 0 && rope.type != "llama3")
      put("rope.scaling.original_context_length", rope.original_max_position_embeddings);
    if (rope.type == "linear" || rope.type == "yarn")
      out_.text("rope.scaling.type", rope.type), put("rope.scaling.factor", rope.factor);
    if (rope.type == "longrope") put("rope.scaling.attn_factor", longrope_size(rope));
    if (rope.type != "yarn") return;
    if (rope.mscale != rope.mscale_all_dim) out_.refuse("mscale");
    put("rope.scaling.yarn_beta_fast", rope.beta_fast), put("rope.scaling.yarn_beta_slow", rope.beta_slow);
    if (rope.attention_factor) put("rope.scaling.attn_factor", *rope.attention_factor);
    if (rope.mscale_all_dim > 0) put("rope.scaling.yarn_log_multiplier", 0.1 * rope.mscale_all_dim);
  }

  /// Of cos and sin; GGUF has one number for short and long texts.
  double longrope_size(const RopeParameters& rope) const {
    if (rope.short_mscale != rope.long_mscale) out_.refuse("short_mscale");
    if (rope.short_mscale) return *rope.short_mscale;
    const double trained = static_cast<double>(rope.original_max_position_embeddings),
                 factor = static_cast<double>(c_.integer("max_position_embeddings")) / trained;
    return rope.attention_factor.value_or(factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(trained)));
  }

  void windows() {
    std::vector<bool> slides;
    for (const std::string& kind : c_.layer_types()) slides.push_back(kind == "sliding_attention");
    if (std::ranges::find(slides, true) == slides.end()) return;
    if (is(c_, {"exaone4"})) {  // llama.cpp takes a period here
      const auto first_full = static_cast<int64_t>(std::ranges::find(slides, false) - slides.begin());
      put("attention.sliding_window_pattern", first_full + 1);
    } else {
      out_.flags("attention.sliding_window_pattern", slides);
    }
  }

  void experts() {
    if (is(c_, {"gpt_oss"})) put("expert_feed_forward_length", c_.integer("intermediate_size"));
    if (is(c_, {"llama4_text"})) {
      put("feed_forward_length", c_.integer("intermediate_size_mlp"));
      put("expert_feed_forward_length", c_.integer("intermediate_size"));
      put("interleave_moe_layer_step", c_.integer("interleave_moe_layer_step", 1));
    }
    if (!is(c_, {"deepseek_v2", "deepseek_v3", "exaone_moe", "solar_open"})) return;
    put("expert_gating_func", int64_t{is(c_, {"deepseek_v2"}) ? 1 : 2});
    out_.flag("expert_weights_norm", c_.flag("norm_topk_prob", false));
    if (is(c_, {"exaone_moe"})) {
      put("expert_shared_feed_forward_length", c_.integer("moe_intermediate_size") * c_.integer("n_shared_experts"));
    } else if (is(c_, {"solar_open"})) {
      put("leading_dense_block_count", int64_t{0});  // experts in every layer
    } else {
      put("rope.dimension_count", c_.integer("qk_rope_head_dim"));
    }
  }

  void forms() {
    if (is(c_, {"gpt_neox", "stablelm"})) out_.flag("use_parallel_residual", c_.flag("use_parallel_residual"));
    if (is(c_, {"cohere", "cohere2"})) put("logit_scale", c_.real("logit_scale"));
    if (is(c_, {"falcon"})) {
      out_.text("tensor_data_layout", "jploski");  // llama.cpp's mark of the rows' order
      if (!c_.flag("new_decoder_architecture") && c_.flag("multi_query")) put("attention.head_count_kv", int64_t{1});
    }
  }

  ArchitectureKeys out_;
  const Config& c_;
};

}  // namespace

std::string gguf_architecture(const Config& config) {
  const std::string& name = config.architecture();
  if (std::ranges::find(computed_otherwise, name) != std::end(computed_otherwise))
    throw Error(Kind::unsupported,
                say("llama.cpp's files of the architecture {} do not give the model's answers", name))
        .at(config.where())
        .hint(say("a folder in place of a .gguf file takes every architecture"));
  if (std::ranges::find(written, name) == std::end(written))
    throw Error(Kind::unsupported, say("GGUF has no form of the architecture {} that llama.cpp knows", name))
        .at(config.where())
        .hint(say("a folder in place of a .gguf file takes every architecture"));
  if (is(config, {"mistral", "mixtral"})) return "llama";
  if (is(config, {"deepseek_v2", "deepseek_v3"})) return "deepseek2";
  if (is(config, {"olmo3"})) return "olmo2";         // told apart by their windows
  if (is(config, {"falcon_mamba"})) return "mamba";  // told apart by a flag
  // llama.cpp's hybrid must remember somewhere; Granite 4 in its sizes that only attend has the older name.
  if (is(config, {"granitemoehybrid"}) && !has_layer(config, "linear_attention")) return "granitemoe";
  if (is(config, {"nemotron_h"})) return has_experts(config) ? "nemotron_h_moe" : "nemotron_h";
  for (const GgufName& n : gguf_names)
    if (n.model_type == name) return std::string(n.gguf);
  return name;
}

void write_config(GgufHeader& out, const Config& config) { Writing(out, config).run(); }

std::vector<float> llama3_factors(const RopeParameters& p, int64_t rotary, double trained) {
  const double longest = trained / p.low_freq_factor, shortest = trained / p.high_freq_factor;
  std::vector<float> factors;
  for (int64_t i = 0; i < rotary / 2; ++i) {
    const double wave =
        2 * std::numbers::pi * std::pow(p.theta, static_cast<double>(2 * i) / static_cast<double>(rotary));
    double factor = 1;
    if (wave > longest) factor = p.factor;
    if (wave >= shortest && wave <= longest) {
      const double smooth = (trained / wave - p.low_freq_factor) / (p.high_freq_factor - p.low_freq_factor);
      factor = 1 / ((1 - smooth) / p.factor + smooth);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

std::vector<RopeTensor> rope_tensors(const Config& config) {
  if (!rotates(config)) return {};
  const RopeParameters rope = config.rope("full_attention");
  auto floats = [](const std::vector<double>& values) { return std::vector<float>(values.begin(), values.end()); };
  if (rope.type == "longrope")
    return {{"rope_factors_long.weight", floats(rope.long_factor)},
            {"rope_factors_short.weight", floats(rope.short_factor)}};
  if (rope.type == "dynamic")
    throw Error(Kind::unsupported, say("GGUF cannot say the setting {}", "rope_type"))
        .at(config.where())
        .found("dynamic");
  if (rope.type != "llama3") return {};
  const auto rotary =
      static_cast<int64_t>(static_cast<double>(config.integer("head_dim")) * rope.partial_rotary_factor);
  const int64_t trained = rope.original_max_position_embeddings > 0 ? rope.original_max_position_embeddings
                                                                    : config.integer("max_position_embeddings");
  return {{"rope_freqs.weight", llama3_factors(rope, rotary, static_cast<double>(trained))}};
}

void same_in_gguf(const Config& source, const Config& other) {
  // What GGUF keeps elsewhere: frequencies in tensors, ids with the tokenizer, formats with the tensors; or nobody
  // reads.
  static constexpr std::string_view apart[] = {"rope_parameters",
                                               "source_format",
                                               "rms_norm_offset",
                                               "bos_token_id",
                                               "eos_token_id",
                                               "pad_token_id",
                                               "dtype",
                                               "model_type",
                                               "intermediate_factor",
                                               "max_window_layers",
                                               "num_nextn_predict_layers",
                                               "use_sliding_window",
                                               "attn_layer_offset",
                                               "attn_layer_period",
                                               "expert_layer_offset",
                                               "expert_layer_period",
                                               "num_key_value_heads",
                                               "original_max_position_embeddings",
                                               "max_position_embeddings",
                                               "topk_method"};
  // One form of Falcon's blocks is a case of the other; V2's weights are never renormalized, whatever is said.
  static constexpr std::string_view falcon[] = {"new_decoder_architecture", "multi_query", "num_ln_in_parallel_attn"};
  // Of experts, where there are none.
  static constexpr std::string_view of_experts[] = {"num_local_experts",
                                                    "num_experts_per_tok",
                                                    "moe_intermediate_size",
                                                    "n_group",
                                                    "topk_group",
                                                    "norm_topk_prob",
                                                    "n_shared_experts",
                                                    "routed_scaling_factor",
                                                    "moe_latent_size",
                                                    "moe_shared_expert_intermediate_size"};
  auto is_apart = [&](std::string_view key) {
    if (source.architecture() == "falcon" && source.flag("parallel_attn", true) &&
        std::ranges::find(falcon, key) != std::end(falcon))
      return true;
    if (source.architecture() == "deepseek_v2" && key == "norm_topk_prob") return true;
    if (source.architecture() == "granitemoehybrid" && key == "intermediate_size" && !has_experts(source)) return true;
    if (!has_experts(source) && std::ranges::find(of_experts, key) != std::end(of_experts)) return true;
    if (key.starts_with("mamba_") && source.has("mamba_n_heads") && source.has("num_attention_heads") &&
        !has_layer(source, "linear_attention"))
      return true;  // Granite 4 in its sizes that only attend
    if (source.architecture() == "nemotron_h" && key == "intermediate_size" && !has_layer(source, "mlp")) return true;
    return std::ranges::find(apart, key) != std::end(apart);
  };
  for (const auto& [key, value] : source.keys().items()) {
    if (!other.has(key) || is_apart(key)) continue;
    const Json& found = other.keys().at(key);
    const bool both_numbers = value.is_number() && found.is_number();
    const bool same = both_numbers ? std::abs(value.get<double>() - found.get<double>()) <=
                                         1e-6 * std::max(1e-30, std::abs(value.get<double>()))
                                   : value == found;
    if (!same)
      throw Error(Kind::unsupported, say("GGUF cannot say the setting {}", key))
          .at(source.where())
          .expected(value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120))
          .found(found.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120));
  }
}

}  // namespace madang
