#include "store/config_keys.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "store/bounds.h"

namespace madang {

void refuse(std::string_view key, const std::string& where, std::string expected, const Json& found) {
  throw Error(Kind::format, say("the configuration's {} cannot be", key))
      .at(where)
      .expected(std::move(expected))
      .found(found.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 120));
}

void move_key(Json& keys, std::string_view from, std::string_view to) {
  if (!keys.contains(from)) return;
  if (!keys.contains(to)) keys[std::string(to)] = keys.at(std::string(from));
  keys.erase(std::string(from));
}

int64_t size_in(const Json& keys, const char* key, int64_t fallback, int64_t most, const std::string& where) {
  if (!keys.contains(key)) return fallback;
  const Json& value = keys.at(key);
  const double n = value.is_number() ? value.get<double>() : 0;
  if (!(n >= 1 && n <= static_cast<double>(most)) || n != std::floor(n))
    refuse(key, where, fmt::format("1 .. {}", most), value);
  return static_cast<int64_t>(n);
}

namespace {

/// Older names of the same thing, in all architectures that have them.
struct Renamed {
  const char* older;
  const char* key;
};
constexpr Renamed renamed[] = {
    {"torch_dtype", "dtype"},
    {"rotary_pct", "partial_rotary_factor"},
    {"n_embd", "hidden_size"},
    {"n_layer", "num_hidden_layers"},
    {"n_head", "num_attention_heads"},
    {"n_positions", "max_position_embeddings"},
    {"d_model", "hidden_size"},
    {"num_experts", "num_local_experts"},
    {"n_routed_experts", "num_local_experts"},
    {"num_shared_experts", "n_shared_experts"},
    {"norm_epsilon", "layer_norm_eps"},
    {"n_inner", "intermediate_size"},
    {"rope_local_theta", "rope_local_base_freq"},
    {"num_layers", "num_hidden_layers"},
    {"activation_function", "hidden_act"},
    {"activation", "hidden_act"},
    {"rotary_emb_base", "rope_theta"},
    {"num_heads", "num_attention_heads"},
    {"num_kv_heads", "num_key_value_heads"},
    {"n_head_kv", "num_key_value_heads"},
    {"ffn_hidden_size", "intermediate_size"},
    {"window_size", "sliding_window"},
    {"embedding_dim", "hidden_size"},
    {"ff_intermediate_size", "intermediate_size"},
    {"rope_embedding_base", "rope_theta"},
    {"gegelu_limit", "swiglu_limit"},
};

bool flag_in(const Json& keys, const char* key, bool fallback, const std::string& where) {
  if (!keys.contains(key)) return fallback;
  if (!keys.at(key).is_boolean()) refuse(key, where, "true, false", keys.at(key));
  return keys.at(key).get<bool>();
}

/// Multimodal repositories keep the language model's keys one level down.
Json flattened(Json keys, const std::string& where) {
  if (!keys.contains("text_config") || keys.at("text_config").is_null()) return keys;
  Json text = keys.at("text_config");
  if (!text.is_object()) refuse("text_config", where, "object", text);
  if (!text.contains("model_type") && keys.contains("model_type") && keys.at("model_type").is_string())
    text["model_type"] = keys.at("model_type").get<std::string>() + "_text";
  // "gemma3" holds a "gemma3_text". Where the inner model is another's, what wraps it changes names and more.
  const Json outer = keys.value("model_type", Json());
  keys.erase("text_config");
  keys.update(text);
  if (outer.is_string() && text.contains("model_type") && text.at("model_type").is_string() &&
      !text.at("model_type").get<std::string>().starts_with(outer.get<std::string>()))
    keys["model_type"] = outer;
  return keys;
}

void drop_nulls(Json& keys) {
  for (auto it = keys.begin(); it != keys.end();)
    if (it->is_null())
      it = keys.erase(it);
    else
      ++it;
}

/// GPT-Neo's way to say which layers see everything: [[["global", "local"], 12]], or one word a layer.
Json neo_layer_types(const Json& keys, const std::string& where) {
  Json words = keys.value("attention_layers", Json::array());
  if (!keys.contains("attention_layers"))
    for (const Json& part : keys.at("attention_types")) {
      const bool fits = part.is_array() && part.size() == 2 && part[0].is_array() && part[1].is_number_integer();
      if (!fits || part[1] < 0 || part[1] > 1 << 12 || part[0].size() > 1 << 12)
        refuse("attention_types", where, "[[[names], times]]", part);
      for (int64_t i = 0; i < part[1].get<int64_t>() && words.size() <= 1 << 12; ++i)
        for (const Json& word : part[0]) words.push_back(word);
    }
  Json types = Json::array();
  for (const Json& word : words) {
    if (word != "global" && word != "local") refuse("attention_layers", where, "global, local", word);
    types.push_back(word == "local" ? "sliding_attention" : "full_attention");
  }
  return types;
}

/// Which layers attend, among others that remember in a fixed size: a list of them (LFM2), or every so many
/// (Qwen3-Next).
Json attending_layers(const Json& keys, int64_t layers, const std::string& where) {
  Json types = Json::array();
  if (!keys.contains("full_attn_idxs")) {
    const int64_t interval = size_in(keys, "full_attention_interval", 0, 1 << 12, where);
    for (int64_t i = 0; i < layers; ++i)
      types.push_back((i + 1) % interval == 0 ? "full_attention" : "linear_attention");
    return types;
  }
  const Json& listed = keys.at("full_attn_idxs");
  if (!listed.is_array() || listed.size() > 1 << 12) refuse("full_attn_idxs", where, "[numbers]", listed);
  for (int64_t i = 0; i < layers; ++i)
    types.push_back(std::find(listed.begin(), listed.end(), Json(i)) != listed.end() ? "full_attention" : "conv");
  return types;
}

/// Whether a layer has positions, in families where some have none.
bool rotates(const Json& keys, int64_t layer, const std::string& where) {
  const auto at = static_cast<size_t>(layer);
  const Json given = keys.value("no_rope_layers", Json::array());  // in spite of its name, 1 where a layer rotates
  if (at < given.size()) return given[at] != Json(0);
  return (layer + 1) % size_in(keys, "no_rope_layer_interval", 4, 1 << 12, where) != 0;
}

/// layer_types from what older files say about windows; takes those keys away.
void set_layer_types(Json& keys, const std::string& where) {
  const int64_t layers = size_in(keys, "num_hidden_layers", 0, 1 << 12, where);
  Json types = Json::array();
  if (!keys.contains("layer_types") && (keys.contains("attention_layers") || keys.contains("attention_types")))
    keys["layer_types"] = neo_layer_types(keys, where);
  if (!keys.contains("layer_types") && (keys.contains("full_attn_idxs") || keys.contains("full_attention_interval")))
    keys["layer_types"] = attending_layers(keys, layers, where);
  if (keys.contains("layer_types")) {
    types = keys.at("layer_types");
    if (!types.is_array() || static_cast<int64_t>(types.size()) != layers)
      refuse("layer_types", where, fmt::format("{} names", layers), types);
    for (const Json& type : types)
      if (!type.is_string()) refuse("layer_types", where, "names", type);
  } else {
    if (keys.contains("attention_chunk_size")) {  // Llama 4: rotating layers see their chunk
      for (int64_t i = 0; i < layers; ++i)
        types.push_back(rotates(keys, i, where) ? "chunked_attention" : "full_attention");
      keys["layer_types"] = types;
      return set_layer_types(keys, where);
    }
    const bool windowed = keys.contains("sliding_window") && flag_in(keys, "use_sliding_window", true, where);
    if (keys.contains("sliding_window_pattern") && keys.at("sliding_window_pattern").is_string()) {
      const auto letters = keys.at("sliding_window_pattern").get<std::string>();  // EXAONE: LLLG, local and global
      if (letters.empty() || letters.find_first_not_of("LG") != std::string::npos)
        refuse("sliding_window_pattern", where, "L, G", keys.at("sliding_window_pattern"));
      for (int64_t i = 0; i < layers; ++i)
        types.push_back(windowed && letters[static_cast<size_t>(i) % letters.size()] == 'L' ? "sliding_attention"
                                                                                            : "full_attention");
      keys.erase("sliding_window_pattern"), keys["layer_types"] = types;
      return set_layer_types(keys, where);
    }
    const char* named = keys.contains("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
    const int64_t pattern = size_in(keys, named, 0, 1 << 12, where);  // the last of so many layers sees everything
    int64_t first = 0;
    if (keys.contains("use_sliding_window") && keys.contains("max_window_layers") &&
        keys.at("max_window_layers") != Json(0))
      first = size_in(keys, "max_window_layers", 0, 1 << 30, where);
    const Json family = keys.at("model_type");
    auto slides = [&](int64_t i) {  // as each class of transformers has it
      if (family == "smollm3") return !rotates(keys, i, where);
      if (family == "qwen2_moe") return i % 2 == 0 && i < first;
      if (family == "qwen3_moe") return true;
      return i >= first && (pattern == 0 || (i + 1) % pattern != 0);
    };
    for (int64_t i = 0; i < layers; ++i) {
      const bool sliding = windowed && slides(i);
      types.push_back(keys.contains("num_attention_heads") ? (sliding ? "sliding_attention" : "full_attention")
                                                           : keys.at("model_type"));
    }
  }
  for (const char* key :
       {"sliding_window_pattern", "_sliding_window_pattern", "max_window_layers", "use_sliding_window"})
    keys.erase(key);
  if (std::find(types.begin(), types.end(), Json("sliding_attention")) == types.end())
    keys.erase("sliding_window");
  else if (!keys.contains("sliding_window"))
    throw Error(Kind::missing, say("the configuration has no {}", "sliding_window")).at(where);
  keys["layer_types"] = types;
}

/// EXAONE MoE: which layers have experts; where they are not listed, those behind the first dense ones.
void set_mlp_layer_types(Json& keys, const std::string& where) {
  if (keys.at("model_type") != "exaone_moe") return;
  const size_t layers = keys.at("layer_types").size();
  if (!keys.contains("mlp_layer_types")) {
    const Json dense = keys.at("first_k_dense_replace");
    if (!dense.is_number_integer()) refuse("first_k_dense_replace", where, "a number", dense);
    keys["mlp_layer_types"] = Json::array();
    for (size_t i = 0; i < layers; ++i) keys["mlp_layer_types"].push_back(Json(i) < dense ? "dense" : "sparse");
  }
  const Json& types = keys.at("mlp_layer_types");
  if (!types.is_array() || types.size() != layers)
    refuse("mlp_layer_types", where, fmt::format("{} names", layers), types);
  for (const Json& type : types)
    if (type != "dense" && type != "sparse") refuse("mlp_layer_types", where, "dense, sparse", type);
  keys["first_k_dense_replace"] = std::find(types.begin(), types.end(), Json("sparse")) - types.begin();  // the list's
}

constexpr std::string_view rope_types[] = {"default", "linear", "dynamic", "yarn", "llama3", "longrope"};

/// One set of rope keys, of any age, in the new names. `outer` has what older files keep beside them.
Json one_rope(Json rope, const Json& outer, const std::string& where) {
  if (!rope.is_object()) refuse("rope_parameters", where, "object", rope);
  drop_nulls(rope);
  move_key(rope, "type", "rope_type");
  if (!rope.contains("rope_type")) rope["rope_type"] = "default";
  if (!rope.at("rope_type").is_string()) refuse("rope_type", where, "text", rope.at("rope_type"));
  auto type = rope.at("rope_type").get<std::string>();
  if (type == "su") type = "longrope";    // Phi-3's first name for it
  if (type == "mrope") type = "default";  // sections matter to images only
  if (type == "gptj") type = "default";   // how some name the turning of neighbours, which the architecture says
  if (std::find(std::begin(rope_types), std::end(rope_types), type) == std::end(rope_types))
    throw Error(Kind::unsupported, say("madang does not know the rope type {}", shown(type)))
        .at(where)
        .expected("default, linear, dynamic, yarn, llama3, longrope");
  rope["rope_type"] = type;
  for (const char* key : {"rope_theta", "partial_rotary_factor", "original_max_position_embeddings"})
    if (!rope.contains(key) && outer.contains(key)) rope[key] = outer.at(key);
  if (!rope.contains("rope_theta")) rope["rope_theta"] = 10000.0;
  // Only these classes of transformers turn a part of each head when nothing is scaled; GGUF's readers all do.
  constexpr std::string_view partial[] = {"gpt_neox", "gptj",     "phi",   "phi3",      "solar_open",
                                          "glm4",     "stablelm", "bamba", "qwen3_next"};
  const std::string family = outer.at("model_type");
  if (type == "default" && outer.at("source_format") == "hugging_face" &&
      std::find(std::begin(partial), std::end(partial), family) == std::end(partial))
    rope.erase("partial_rotary_factor");
  // longrope leaves the factor to be the ratio of its two lengths.
  const int64_t trained = size_in(rope, "original_max_position_embeddings", 0, 1ll << 40, where);
  if (type == "longrope" && !rope.contains("factor") && trained > 0)
    rope["factor"] = static_cast<double>(size_in(outer, "max_position_embeddings", trained, 1ll << 40, where)) /
                     static_cast<double>(trained);
  return rope;
}

/// rope_parameters from rope_theta, rope_scaling, rope_local_base_freq and their kin; takes those keys away.
void set_rope(Json& keys, const std::string& where) {
  Json rope = Json::object();
  for (const char* name : {"rope_scaling", "rope_parameters"})
    if (keys.contains(name)) rope = keys.at(name);
  // OLMo 3 stretches its full layers only.
  if (keys.at("model_type") == "olmo3" && !keys.contains("rope_local_base_freq") && keys.contains("rope_theta"))
    keys["rope_local_base_freq"] = keys.at("rope_theta");
  const bool nested = rope.is_object() && !rope.empty() && rope.front().is_object();
  if (nested) {
    for (auto& [type, parameters] : rope.items()) parameters = one_rope(parameters, keys, where);
  } else if (keys.contains("rope_local_base_freq") && !keys.contains("rope_parameters")) {
    Json local = {{"rope_type", "default"}, {"rope_theta", keys.at("rope_local_base_freq")}};
    rope = {{"full_attention", one_rope(rope, keys, where)}, {"sliding_attention", one_rope(local, keys, where)}};
  } else {
    rope = one_rope(rope, keys, where);
  }
  for (const char* key : {"rope_scaling", "rope_theta", "rope_local_base_freq", "partial_rotary_factor",
                          "original_max_position_embeddings"})
    keys.erase(key);
  keys["rope_parameters"] = rope;
}

void derive_attention(Json& keys, const std::string& where) {
  const int64_t heads = size_in(keys, "num_attention_heads", 1, 1 << 14, where);
  if (!keys.contains("num_key_value_heads")) keys["num_key_value_heads"] = heads;
  if (keys.contains("qk_rope_head_dim"))
    keys["head_dim"] = keys.at("qk_rope_head_dim");  // of latent attention: what rotates
  if (!keys.contains("head_dim") && keys.contains("hidden_size")) {
    const int64_t width = size_in(keys, "hidden_size", 1, 1 << 20, where);
    if (width % heads != 0) refuse("hidden_size", where, fmt::format("a multiple of {} heads", heads), width);
    keys["head_dim"] = width / heads;
  }
  if (!keys.contains("intermediate_size") && keys.contains("intermediate_factor") && keys.contains("hidden_size"))
    keys["intermediate_size"] =
        size_in(keys, "intermediate_factor", 1, 64, where) * size_in(keys, "hidden_size", 1, 1 << 20, where);
  if (keys.contains("mamba_dt_rank") && keys.at("mamba_dt_rank") == Json("auto"))
    keys["mamba_dt_rank"] = (size_in(keys, "hidden_size", 1, 1 << 20, where) + 15) / 16;
  if (keys.contains("rotary_dim")) {
    const int64_t head = size_in(keys, "head_dim", 1, 1 << 16, where);
    keys["partial_rotary_factor"] = rotary_fraction(size_in(keys, "rotary_dim", 1, head, where), head);
  }
  set_rope(keys, where);
}

void derive_recurrence(Json& keys, const std::string& where) {
  if (!keys.contains("hidden_size")) return;
  const int64_t width = size_in(keys, "hidden_size", 1, 1 << 20, where);
  if (!keys.contains("intermediate_size")) keys["intermediate_size"] = width * size_in(keys, "expand", 2, 64, where);
  if (keys.at("time_step_rank") == Json("auto")) keys["time_step_rank"] = (width + 15) / 16;
}

/// LFM2's MLP is sized as Llama's first was: two thirds, times a factor, up to a multiple. Said by its size from here
/// on.
void derive_lfm2(Json& keys, const std::string& where) {
  if (keys.at("model_type") != "lfm2") return;
  // The first repositories' names, which count before the later ones.
  for (auto [first, later] : {std::pair("tie_embedding", "tie_word_embeddings"), {"block_ff_dim", "intermediate_size"}})
    if (keys.contains(first)) keys[later] = keys.at(first), keys.erase(first);
  if (flag_in(keys, "block_auto_adjust_ff_dim", false, where)) {
    constexpr int64_t most = 1 << 22;
    int64_t size = 2 * size_in(keys, "intermediate_size", 1, most, where) / 3;
    if (const Json factor = keys.value("block_ffn_dim_multiplier", Json()); !factor.is_null()) {
      const double scaled = factor.is_number() ? factor.get<double>() * static_cast<double>(size) : -1;
      if (!(scaled >= 1 && scaled <= static_cast<double>(most)))
        refuse("block_ffn_dim_multiplier", where, "> 0", factor);
      const int64_t multiple = size_in(keys, "block_multiple_of", 1, most, where);
      size = (static_cast<int64_t>(scaled) + multiple - 1) / multiple * multiple;
    }
    keys["intermediate_size"] = size;
  }
  keys["block_auto_adjust_ff_dim"] = false;
  keys.erase("block_ffn_dim_multiplier"), keys.erase("block_multiple_of");
}

/// RWKV-5's and 6's channel mixing is three and a half times as wide as the rest, in whole 32, unless said otherwise;
/// their repositories write null. Those of RWKV-5 also say that the head is the embedding, which it is in no model.
void derive_rwkv(Json& keys, const std::string& where) {
  const bool eagle = keys.at("model_type") == "rwkv5";
  if (!eagle && keys.at("model_type") != "rwkv6") return;
  if (!keys.contains("intermediate_size") && keys.contains("hidden_size"))
    keys["intermediate_size"] = size_in(keys, "hidden_size", 1, 1 << 20, where) * 7 / 2 / 32 * 32;
  if (eagle) keys["tie_word_embeddings"] = false;
}

}  // namespace

double rotary_fraction(int64_t rotated, int64_t head_dim) {
  double fraction = static_cast<double>(rotated) / static_cast<double>(head_dim);
  while (static_cast<int64_t>(static_cast<double>(head_dim) * fraction) < rotated)
    fraction = std::nextafter(fraction, 2.0);
  return fraction;
}

Json normalised(const Json& given, const std::string& where) {
  if (!given.is_object()) throw Error(Kind::format, say("a configuration must be a JSON object")).at(where);
  Json keys = flattened(given, where);
  if (!keys.contains("model_type") || !keys.at("model_type").is_string())
    throw Error(Kind::missing, say("the configuration has no {}", "model_type")).at(where);
  name_mamba2(keys);
  for (const Renamed& r : renamed) move_key(keys, r.older, r.key);
  if (keys.at("model_type") == "phi-msft") {  // Phi's first configuration, before transformers had the architecture
    keys["model_type"] = "phi", keys["intermediate_factor"] = 4;
    move_key(keys, "layer_norm_epsilon", "layer_norm_eps");
  }
  // GEGELU multiplies by up + 1, cuts off and weighs its gate as the clamped SwiGLU does; only its numbers are others.
  if (keys.at("model_type") == "phi3small" && keys.value("hidden_act", Json()) == "gegelu") keys["hidden_act"] = "silu";
  const Json defaults = defaults_of(keys.at("model_type").get<std::string>());
  for (const auto& [key, value] : defaults.items())
    if (!keys.contains(key)) keys[key] = value;  // a null in the file is an answer too: none
  drop_nulls(keys);
  if (!keys.contains("source_format")) keys["source_format"] = "hugging_face";
  derive_mamba2(keys, where);
  derive_lfm2(keys, where);
  derive_rwkv(keys, where);
  set_layer_types(keys, where);
  set_mlp_layer_types(keys, where);
  if (keys.contains("num_attention_heads"))
    derive_attention(keys, where);
  else if (keys.contains("time_step_rank"))
    derive_recurrence(keys, where);
  return keys;
}

}  // namespace madang
