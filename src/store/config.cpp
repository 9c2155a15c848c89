#include "store/config.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "store/bounds.h"
#include "store/config_keys.h"
#include "store/sax.h"

namespace madang {
namespace {

/// Sizes and the range in which they make sense: far above any real model, and small enough that products of three
/// stay below 2^63.
struct Range {
  std::string_view key;
  int64_t least, most;
};
constexpr Range ranges[] = {
    {"vocab_size", 1, 1 << 24},
    {"hidden_size", 1, 1 << 20},
    {"intermediate_size", 1, 1 << 22},
    {"num_hidden_layers", 1, 1 << 12},
    {"num_attention_heads", 1, 1 << 14},
    {"num_key_value_heads", 1, 1 << 14},
    {"head_dim", 1, 1 << 16},
    {"sliding_window", 1, 1ll << 40},
    {"max_position_embeddings", 1, 1ll << 40},
    {"num_local_experts", 0, 1 << 14},
    {"num_experts_per_tok", 0, 1 << 14},
    {"state_size", 1, 1 << 16},
    {"attention_hidden_size", 1, 1 << 20},
    {"rescale_every", -1ll << 31, 1ll << 31},
    {"head_size", 1, 1 << 16},
    {"num_blocks", 1, 1 << 12},
    {"ffn_round_up_to_multiple_of", 1, 1 << 20},
    {"conv_L_cache", 1, 1 << 10},
    {"linear_conv_kernel_dim", 1, 1 << 10},
    {"linear_key_head_dim", 1, 1 << 12},
    {"linear_value_head_dim", 1, 1 << 12},
    {"linear_num_key_heads", 1, 1 << 10},
    {"linear_num_value_heads", 1, 1 << 10},
    {"time_mix_extra_dim", 1, 1 << 16},
    {"time_decay_extra_dim", 1, 1 << 16},
    {"decay_low_rank_dim", 1, 1 << 16},
    {"a_low_rank_dim", 1, 1 << 16},
    {"v_low_rank_dim", 1, 1 << 16},
    {"gate_low_rank_dim", 1, 1 << 16},
    {"conv_kernel", 1, 1 << 10},
    {"time_step_rank", 1, 1 << 20},
    {"no_rope_layer_interval", 1, 1 << 12},
    {"decoder_sparse_step", 1, 1 << 12},
    {"moe_intermediate_size", 1, 1 << 22},
    {"shared_expert_intermediate_size", 1, 1 << 22},
    {"num_experts", 1, 1 << 14},
    {"mamba_expand", 1, 64},
    {"attention_chunk_size", 1, 1ll << 40},
    {"floor_scale", 1, 1ll << 40},
    {"interleave_moe_layer_step", 1, 1 << 12},
    {"intermediate_size_mlp", 1, 1 << 22},
    {"mamba_d_state", 1, 1 << 16},
    {"mamba_d_conv", 1, 1 << 10},
    {"mamba_dt_rank", 1, 1 << 20},
    {"mamba_n_heads", 1, 1 << 14},
    {"mamba_d_head", 1, 1 << 16},
    {"mamba_n_groups", 1, 1 << 14},
    {"num_mem_blocks", 1, 1 << 12},
    {"adapter_rank", 1, 1 << 16},
    {"shared_intermediate_size", 0, 1 << 22},
    {"moe_latent_size", 1, 1 << 20},
    {"moe_shared_expert_intermediate_size", 1, 1 << 22},
    {"attn_layer_period", 1, 1 << 12},
    {"dense_attention_every_n_layers", 0, 1 << 12},
    {"blocksparse_block_size", 1, 1 << 20},
    {"blocksparse_num_local_blocks", 1, 1 << 20},
    {"blocksparse_vert_stride", 1, 1 << 20},
    {"expert_layer_period", 1, 1 << 12},
    {"first_k_dense_replace", 0, 1 << 12},
    {"kv_lora_rank", 1, 1 << 16},
    {"q_lora_rank", 1, 1 << 16},
    {"qk_nope_head_dim", 1, 1 << 16},
    {"qk_rope_head_dim", 2, 1 << 16},
    {"v_head_dim", 1, 1 << 16},
    {"n_shared_experts", 0, 1 << 10},
    {"n_group", 1, 1 << 14},
    {"topk_group", 1, 1 << 14},
};
constexpr std::string_view positive_reals[] = {"rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps",       "norm_eps",
                                               "eps",          "ffn_proj_factor",    "query_pre_attn_scalar"};

void check_ranges(const Config& c) {
  for (const Range& r : ranges)
    if (c.has(r.key) && !c.keys().at(r.key).is_array()) {  // a list has one number a layer: integer() refuses it
      const int64_t n = c.integer(r.key);
      if (n < r.least || n > r.most) refuse(r.key, c.where(), fmt::format("{} .. {}", r.least, r.most), n);
    }
  for (std::string_view key : positive_reals)
    if (c.has(key) && !(c.real(key) >= 0 && c.real(key) < 1e9)) refuse(key, c.where(), "0 .. 1e9", c.real(key));
}

double positive(const Json& keys, std::string_view key, double fallback, const std::string& where) {
  auto found = keys.find(key);
  if (found == keys.end() || found->is_null()) return fallback;
  if (!found->is_number()) refuse(key, where, "number", *found);
  const double x = found->get<double>();
  if (!(x > 0 && x < 1e18)) refuse(key, where, "0 < x < 1e18", *found);
  return x;
}

std::vector<double> stretches(const Json& keys, std::string_view key, const std::string& where) {
  std::vector<double> all;
  if (!keys.contains(key)) return all;
  if (!keys.at(key).is_array()) refuse(key, where, "numbers", keys.at(key));
  for (const Json& x : keys.at(key)) {
    if (!x.is_number() || !(x.get<double>() > 0 && x.get<double>() < 1e18)) refuse(key, where, "numbers > 0", x);
    all.push_back(x.get<double>());
  }
  return all;
}

/// Counts keys, so that a document whose objects are searched key by key stays small.
class KeyCounter : public Sax {
 public:
  KeyCounter() { deepest = 64; }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool key(string_t& name) override {
    // The largest real ones, with the names of 21,841 classes, have twice as many.
    if (++count_ > 50'000)
      throw Error(Kind::limit, say("the configuration has too many keys")).at(where()).expected("<= 50000");
    return Sax::key(name);
  }

 private:
  int64_t count_ = 0;
};

}  // namespace

Config::Config(const Json& keys, std::string where) : where_(std::move(where)), keys_(normalised(keys, where_)) {
  architecture_ = text("model_type");
  for (char c : architecture_)
    if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("_-.", c))
      refuse("model_type", where_, "a name", architecture_);
  check_ranges(*this);
  const auto types = layer_types();
  for (const std::string& type : std::set<std::string>(types.begin(), types.end())) rope(type);  // finds its faults now
}

const Json& Config::need(std::string_view key) const {
  auto found = keys_.find(key);
  if (found == keys_.end()) throw Error(Kind::missing, say("the configuration has no {}", key)).at(where_);
  return *found;
}

int64_t Config::integer(std::string_view key) const {
  const Json& value = need(key);
  if (value.is_number_unsigned() ? value.get<uint64_t>() > INT64_MAX : !value.is_number_integer()) {
    // Sizes written as 4096.0 are met in the wild.
    const double x = value.is_number_float() ? value.get<double>() : 0.5;
    if (x != std::floor(x) || std::abs(x) > 0x1p53) refuse(key, where_, "integer", value);
    return static_cast<int64_t>(x);
  }
  return value.get<int64_t>();
}

int64_t Config::integer(std::string_view key, int64_t fallback) const { return has(key) ? integer(key) : fallback; }

double Config::real(std::string_view key) const {
  const Json& value = need(key);
  if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(key, where_, "number", value);
  return value.get<double>();
}

double Config::real(std::string_view key, double fallback) const { return has(key) ? real(key) : fallback; }

bool Config::flag(std::string_view key) const {
  const Json& value = need(key);
  if (!value.is_boolean()) refuse(key, where_, "true, false", value);
  return value.get<bool>();
}

bool Config::flag(std::string_view key, bool fallback) const { return has(key) ? flag(key) : fallback; }

std::string Config::text(std::string_view key) const {
  const Json& value = need(key);
  if (!value.is_string()) refuse(key, where_, "text", value);
  return value.get<std::string>();
}

std::string Config::text(std::string_view key, std::string_view fallback) const {
  return has(key) ? text(key) : std::string(fallback);
}

std::vector<int64_t> Config::integers(std::string_view key) const {
  if (!has(key)) return {};
  const Json& value = need(key);
  if (!value.is_array()) return {integer(key)};
  std::vector<int64_t> all;
  for (const Json& n : value) {
    if (!n.is_number_integer() || (n.is_number_unsigned() && n.get<uint64_t>() > INT64_MAX))
      refuse(key, where_, "integers", value);
    all.push_back(n.get<int64_t>());
  }
  return all;
}

std::vector<std::string> Config::layer_types() const { return need("layer_types").get<std::vector<std::string>>(); }

RopeParameters Config::rope(std::string_view layer_type) const {
  RopeParameters p;
  if (!has("rope_parameters")) return p;
  const Json* keys = &keys_.at("rope_parameters");
  if (!keys->contains("rope_type"))  // nested by layer type
    keys = keys->contains(layer_type) ? &keys->at(layer_type) : keys->empty() ? keys : &keys->front();
  const bool typed = keys->is_object() && keys->contains("rope_type") && keys->at("rope_type").is_string();
  if (!typed) refuse("rope_parameters", where_, "object with rope_type", *keys);
  p.type = keys->at("rope_type").get<std::string>();
  p.theta = positive(*keys, "rope_theta", p.theta, where_);
  p.factor = positive(*keys, "factor", p.factor, where_);
  const double trained = positive(*keys, "original_max_position_embeddings", 0, where_);
  if (trained > 0x1p40) refuse("original_max_position_embeddings", where_, "1 .. 2^40", trained);
  p.original_max_position_embeddings = static_cast<int64_t>(trained);
  p.low_freq_factor = positive(*keys, "low_freq_factor", p.low_freq_factor, where_);
  p.high_freq_factor = positive(*keys, "high_freq_factor", p.high_freq_factor, where_);
  p.beta_fast = positive(*keys, "beta_fast", p.beta_fast, where_);
  p.beta_slow = positive(*keys, "beta_slow", p.beta_slow, where_);
  p.truncate = !keys->contains("truncate") || keys->at("truncate") != Json(false);
  if (keys->contains("attention_factor")) p.attention_factor = positive(*keys, "attention_factor", 1, where_);
  p.mscale = positive(*keys, "mscale", 0, where_);
  p.mscale_all_dim = positive(*keys, "mscale_all_dim", 0, where_);
  if (keys->contains("short_mscale")) p.short_mscale = positive(*keys, "short_mscale", 1, where_);
  if (keys->contains("long_mscale")) p.long_mscale = positive(*keys, "long_mscale", 1, where_);
  p.short_factor = stretches(*keys, "short_factor", where_);
  p.long_factor = stretches(*keys, "long_factor", where_);
  p.partial_rotary_factor = positive(*keys, "partial_rotary_factor", 1, where_);
  if (p.partial_rotary_factor > 1) refuse("partial_rotary_factor", where_, "0 < x <= 1", p.partial_rotary_factor);
  return p;
}

namespace {

/// Infinity and NaN, which Python writes and JSON has no word for, as transformers 5 writes them.
std::string with_words(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    size_t word = 0;
    for (std::string_view name : {"Infinity", "-Infinity", "NaN"})
      if (!in_string && text.substr(i).starts_with(name)) word = name.size();
    if (word) out += fmt::format(R"({{"__float__": "{}"}})", text.substr(i, word));
    if (in_string && text[i] == '\\' && i + 1 < text.size())
      out += text[i++];
    else if (text[i] == '"')
      in_string = !in_string;
    if (!word) out += text[i];
    i += word ? word : 1;
  }
  return out;
}

}  // namespace

Json complete_keys(const Config& config) {
  Json keys = config.keys();
  const Json defaults =
      defaults_of(config.architecture());  // a name: GCC 12 does not keep what a loop's range is made of
  for (const auto& [key, value] : defaults.items())
    if (!keys.contains(key)) keys[key] = nullptr;
  return keys;
}

Config read_config(const std::string& path) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  const std::string file = folder ? (std::filesystem::path(path) / "config.json").string() : path;
  auto bytes = MappedFile::open(file);
  std::string_view text(reinterpret_cast<const char*>(bytes->bytes().data()), bytes->bytes().size());
  std::string worded;
  if (text.find("Infinity") != text.npos || text.find("NaN") != text.npos) text = worded = with_words(text);
  KeyCounter().read(text, file);
  return Config(parse_json(text, file), file);
}

}  // namespace madang
