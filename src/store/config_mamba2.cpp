// Mamba-2 and the families that mix its layers with others: five ways to name the same sizes, brought to one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "store/config_keys.h"

namespace madang {
namespace {

struct Name {
  std::string_view family, theirs, ours;
};
constexpr Name names[] = {
    {"mamba2", "num_heads", "mamba_n_heads"},
    {"mamba2", "head_dim", "mamba_d_head"},
    {"mamba2", "n_groups", "mamba_n_groups"},
    {"mamba2", "state_size", "mamba_d_state"},
    {"mamba2", "conv_kernel", "mamba_d_conv"},
    {"mamba2", "expand", "mamba_expand"},
    {"mamba2", "use_conv_bias", "mamba_conv_bias"},
    {"mamba2", "use_bias", "mamba_proj_bias"},
    {"zamba2", "n_mamba_heads", "mamba_n_heads"},
    {"zamba2", "mamba_ngroups", "mamba_n_groups"},
    {"zamba2", "layers_block_type", "layer_types"},
    {"nemotron_h", "mamba_num_heads", "mamba_n_heads"},
    {"nemotron_h", "mamba_head_dim", "mamba_d_head"},
    {"nemotron_h", "n_groups", "mamba_n_groups"},
    {"nemotron_h", "ssm_state_size", "mamba_d_state"},
    {"nemotron_h", "conv_kernel", "mamba_d_conv"},
    {"nemotron_h", "use_conv_bias", "mamba_conv_bias"},
    {"nemotron_h", "use_bias", "mamba_proj_bias"},
    {"nemotron_h", "mamba_dt_min", "time_step_min"},
    {"nemotron_h", "attention_head_dim", "head_dim"},
    {"nemotron_h", "mlp_hidden_act", "hidden_act"},
    {"nemotron_h", "layers_block_type", "layer_types"},
    {"granitemoehybrid", "layers_block_type", "layer_types"},
};
constexpr std::string_view families[] = {"mamba2", "bamba", "granitemoehybrid", "zamba2", "nemotron_h"};

/// Nemotron-H's letters, one a layer.
Json types_of_letters(const Json& letters, const std::string& where) {
  constexpr std::string_view expected = "M, E, *, -";
  Json types = Json::array();
  if (!letters.is_string() || letters.get_ref<const std::string&>().size() > 1 << 12)
    refuse("hybrid_override_pattern", where, std::string(expected), letters);
  for (char c : letters.get_ref<const std::string&>()) {
    if (c != 'M' && c != 'E' && c != '*' && c != '-')
      refuse("hybrid_override_pattern", where, std::string(expected), letters);
    types.push_back(c == 'M' ? "linear_attention" : c == 'E' ? "moe" : c == '*' ? "full_attention" : "mlp");
  }
  return types;
}

/// Which layers are what, where the configuration does not list them.
Json types_unsaid(const Json& keys, const std::string& family, const std::string& where) {
  Json types = Json::array();
  const int64_t layers = size_in(keys, "num_hidden_layers", 0, 1 << 12, where);
  if (family == "nemotron_h") {
    if (keys.contains("hybrid_override_pattern")) return types_of_letters(keys.at("hybrid_override_pattern"), where);
    return {"linear_attention", "moe", "full_attention", "mlp"};
  }
  const Json attending = keys.value("attn_layer_indices", Json::array());
  for (int64_t i = 0; i < layers; ++i) {
    bool attends = false;
    for (const Json& at : attending) attends |= at == Json(i);
    // Zamba2's default: every sixth layer, and two more towards the end (Zamba2Config of transformers).
    const bool shared = family == "zamba2" && ((i < 43 && i % 6 == 0 && i > 0) || i == 47 || i == 51);
    types.push_back(attends ? "full_attention" : shared ? "hybrid" : "linear_attention");
  }
  return types;
}

void set_types(Json& keys, const std::string& family, const std::string& where) {
  if (family == "bamba" || !keys.contains("layer_types")) keys["layer_types"] = types_unsaid(keys, family, where);
  Json& types = keys.at("layer_types");
  if (!types.is_array() || types.empty() || types.size() > 1 << 12)
    refuse("layer_types", where, "1 .. 4096 names", types);
  const Json known = family == "zamba2"       ? Json{"linear_attention", "hybrid"}
                     : family == "nemotron_h" ? Json{"linear_attention", "full_attention", "mlp", "moe"}
                                              : Json{"linear_attention", "full_attention"};
  for (Json& type : types) {
    if (type == "mamba") type = "linear_attention";  // before transformers 5
    if (type == "attention") type = "full_attention";
    if (std::find(known.begin(), known.end(), type) == known.end()) refuse("layer_types", where, known.dump(), type);
  }
  if (family == "nemotron_h") keys["num_hidden_layers"] = types.size();
}

/// A number, also as transformers 5 writes those that JSON has no word for.
double number(const Json& value, const std::string& where) {
  const Json named = value.is_object() ? value.value("__float__", Json()) : value;
  if (named == "Infinity") return std::numeric_limits<double>::infinity();
  if (named == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (!named.is_number()) refuse("time_step_limit", where, "[least, most]", value);
  return named.get<double>();
}

void set_step_sizes(Json& keys, const std::string& family, const std::string& where) {
  double least = 0, most = std::numeric_limits<double>::infinity();
  if (family == "zamba2" || family == "nemotron_h") {
    if (keys.contains("time_step_min")) least = number(keys.at("time_step_min"), where);
  } else if (keys.contains("time_step_limit")) {
    const Json& limit = keys.at("time_step_limit");
    if (!limit.is_array() || limit.size() != 2) refuse("time_step_limit", where, "[least, most]", limit);
    least = number(limit[0], where), most = number(limit[1], where);
    if (!(least <= most)) refuse("time_step_limit", where, "least <= most", limit);
  }
  keys["time_step_least"] = std::max(least, 0.0);  // steps are never below it
  if (std::isfinite(most)) keys["time_step_most"] = most;
}

}  // namespace

void name_mamba2(Json& keys) {
  const Json family = keys.at("model_type");
  // Nemotron-H's class has a mamba_proj_bias too, and goes by use_bias.
  if (family == "nemotron_h" && keys.contains("use_bias")) keys.erase("mamba_proj_bias");
  for (const Name& n : names)
    if (family == n.family) move_key(keys, n.theirs, n.ours);
}

void name_back_mamba2(Json& keys) {
  const Json family = keys.at("model_type");
  for (const Name& n : names)
    if (family == n.family && keys.contains(n.ours)) {
      keys.erase(std::string(n.theirs));  // was derived for attention, which has the name elsewhere
      move_key(keys, n.ours, n.theirs);
    }
}

void derive_mamba2(Json& keys, const std::string& where) {
  const std::string family = keys.at("model_type");
  if (std::find(std::begin(families), std::end(families), family) == std::end(families)) return;
  if (family != "mamba2") set_types(keys, family, where);
  set_step_sizes(keys, family, where);
  const int64_t width = size_in(keys, "hidden_size", 1, 1 << 20, where);
  const int64_t heads = size_in(keys, "mamba_n_heads", 1, 1 << 14, where);
  const int64_t inner = size_in(keys, "mamba_expand", 2, 64, where) * width;
  if (family == "zamba2") {
    const int64_t attending = size_in(keys, "num_attention_heads", 1, 1 << 14, where);
    if (2 * width % attending != 0)
      refuse("num_attention_heads", where, fmt::format("a divisor of {}", 2 * width), attending);
    keys["head_dim"] = 2 * width / attending;
    keys["mamba_hidden_act"] = "silu", keys["mamba_conv_bias"] = true;
    keys["mamba_proj_bias"] = keys.value("add_bias_linear", Json(false));
    if (keys.value("use_long_context", Json(false)) == Json(true)) keys["max_position_embeddings"] = 16384;
  }
  if (family == "bamba") keys["partial_rotary_factor"] = 0.5;  // whatever the file says beside rope_parameters
  if (family == "nemotron_h") {
    keys["tie_word_embeddings"] = false;  // its class ties nothing, whatever the flag says
    return;                               // and its sizes are free
  }
  if (inner % heads != 0) refuse("mamba_n_heads", where, fmt::format("a divisor of {}", inner), heads);
  if (family == "zamba2" || !keys.contains("mamba_d_head") || keys.at("mamba_d_head") == Json("auto"))
    keys["mamba_d_head"] = inner / heads;
  if (keys.at("mamba_d_head") != Json(inner / heads))
    refuse("mamba_d_head", where, fmt::format("{}", inner / heads), keys.at("mamba_d_head"));
}

}  // namespace madang
