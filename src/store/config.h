// One model's configuration in the keys of transformers 5, whatever the file was: config.json of any age, GGUF
// metadata, a header of llama2.c or rwkv.cpp. Reading fills in what the file leaves to its architecture's defaults, and checks sizes
// once, so that whoever multiplies them later cannot overflow.
//
// Always there for transformers: model_type, vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
// num_key_value_heads, head_dim, intermediate_size, max_position_embeddings, rms_norm_eps (where the architecture has
// RMSNorm), tie_word_embeddings, layer_types, rope_parameters. For Mamba: hidden_size, intermediate_size
// (inner), state_size, conv_kernel, time_step_rank, layer_norm_epsilon. Keys that are null in the file are absent here.
// Keys of our own:
//   rms_norm_offset  what is added to stored norm weights: 1 for Gemma repositories, 0 for GGUF (stored plus one)
//   intermediate_factor  times hidden_size is intermediate_size where a file leaves that out
//   source_format    "hugging_face", "gguf", "llama2.c" or "rwkv.cpp"
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace madang {

class Gguf;

/// As transformers' modeling_rope_utils.py names them. Absent ones keep these values.
struct RopeParameters {
  std::string type = "default";  ///< default, linear, dynamic, yarn, llama3, longrope
  double theta = 10000;
  double factor = 1;
  int64_t original_max_position_embeddings = 0;  ///< 0: not said
  double low_freq_factor = 1, high_freq_factor = 4;
  double beta_fast = 32, beta_slow = 1;
  bool truncate = true;  ///< yarn: whole dimensions only
  std::optional<double> attention_factor;
  double mscale = 0, mscale_all_dim = 0;          ///< 0: not said
  std::optional<double> short_mscale, long_mscale;  ///< longrope: sizes of cos and sin
  std::vector<double> short_factor, long_factor;  ///< longrope, one per pair
  double partial_rotary_factor = 1;
};

class Config {
 public:
  Config() = default;
  /// `keys` as in any config.json; `where` names it in errors.
  Config(const Json& keys, std::string where);

  const std::string& architecture() const { return architecture_; }  ///< model_type: "llama", "gemma3_text", ...
  const std::string& where() const { return where_; }
  const Json& keys() const { return keys_; }

  bool has(std::string_view key) const { return keys_.contains(key); }
  // Each throws Kind::missing if the key is absent and no fallback is given, Kind::format if it has another type.
  int64_t integer(std::string_view key) const;
  int64_t integer(std::string_view key, int64_t fallback) const;
  double real(std::string_view key) const;
  double real(std::string_view key, double fallback) const;
  bool flag(std::string_view key) const;
  bool flag(std::string_view key, bool fallback) const;
  std::string text(std::string_view key) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  /// One number or a list of them (eos_token_id); empty if absent.
  std::vector<int64_t> integers(std::string_view key) const;

  /// One entry a layer: "full_attention", "sliding_attention", "mamba", ...
  std::vector<std::string> layer_types() const;
  /// Of the layers of that type where the model has several; of all otherwise.
  RopeParameters rope(std::string_view layer_type = "") const;

 private:
  const Json& need(std::string_view key) const;

  std::string architecture_, where_;
  Json keys_;
};

/// From a config.json or from the folder that holds one.
Config read_config(const std::string& path);
Config config_of_gguf(const Gguf& file);

}  // namespace madang
