#include "convert/config_json.h"

#include <filesystem>
#include <map>

#include "store/config_keys.h"

namespace madang {
namespace {

/// Classes of transformers whose names do not follow from model_type's.
const std::map<std::string_view, std::string_view> classes = {
    {"gpt2", "GPT2LMHeadModel"},          {"gpt_neo", "GPTNeoForCausalLM"},  {"gptj", "GPTJForCausalLM"},
    {"gpt_neox", "GPTNeoXForCausalLM"},   {"gpt_oss", "GptOssForCausalLM"},  {"olmo2", "Olmo2ForCausalLM"},
    {"stablelm", "StableLmForCausalLM"},  {"smollm3", "SmolLM3ForCausalLM"}, {"gemma3_text", "Gemma3ForCausalLM"},
    {"llama4_text", "Llama4ForCausalLM"}, {"phimoe", "PhimoeForCausalLM"},   {"hyperclovax", "HyperCLOVAXForCausalLM"},
    {"glm4", "Glm4ForCausalLM"}};

/// "qwen2_moe" is Qwen2MoeForCausalLM.
std::string class_of(const std::string& model_type) {
  if (auto found = classes.find(model_type); found != classes.end()) return std::string(found->second);
  std::string name;
  bool upper = true;
  for (char c : model_type) {
    if (c != '_') name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return name + "ForCausalLM";
}

struct Spelling {
  std::string_view model_type;
  const char *key, *own;  ///< ours, and what this architecture's config.json says; null: follows from other keys
};
constexpr Spelling spellings[] = {{"qwen2_moe", "num_local_experts", "num_experts"},
                                  {"qwen3_moe", "num_local_experts", "num_experts"},
                                  {"qwen3_next", "num_local_experts", "num_experts"},
                                  {"jamba", "num_local_experts", "num_experts"},
                                  {"deepseek_v2", "num_local_experts", "n_routed_experts"},
                                  {"deepseek_v3", "num_local_experts", "n_routed_experts"},
                                  {"solar_open", "num_local_experts", "n_routed_experts"},
                                  {"exaone_moe", "num_local_experts", "num_experts"},
                                  {"exaone_moe", "n_shared_experts", "num_shared_experts"},
                                  {"starcoder2", "layer_norm_eps", "norm_epsilon"},
                                  {"gpt_neo", "sliding_window", "window_size"},
                                  {"gpt2", "intermediate_size", "n_inner"},
                                  {"gpt2", "hidden_act", "activation_function"},
                                  {"gptj", "intermediate_size", "n_inner"},
                                  {"gptj", "hidden_act", "activation_function"},
                                  {"gpt_neo", "hidden_act", "activation_function"},
                                  {"falcon", "head_dim", nullptr},
                                  {"falcon", "intermediate_size", "ffn_hidden_size"},
                                  {"falcon", "num_key_value_heads", "num_kv_heads"},
                                  {"jamba", "layer_types", nullptr},
                                  {"bamba", "layer_types", nullptr},
                                  {"mamba", "layer_types", nullptr},
                                  {"mamba2", "layer_types", nullptr},
                                  {"falcon_mamba", "layer_types", nullptr}};

/// transformers' Llama looks at all that was; files of GGUF call Mistral's windows Llama too.
std::string written_type(const Config& config) {
  const bool windows = config.architecture() == "llama" && config.has("sliding_window");
  return windows ? "mistral" : config.architecture();
}

Json own_keys(const Config& config) {
  Json keys = complete_keys(config);
  const std::string type = config.architecture();
  for (const char* ours : {"source_format", "rms_norm_offset", "intermediate_factor"}) keys.erase(ours);
  for (const char* ours : {"rms_norm_offset", "intermediate_factor", "sliding_window_pattern", "max_window_layers",
                           "use_sliding_window", "rope_theta", "rope_local_base_freq", "partial_rotary_factor",
                           "original_max_position_embeddings", "block_multiple_of", "block_ffn_dim_multiplier"})
    if (keys.contains(ours) && keys.at(ours).is_null()) keys.erase(ours);
  for (const Spelling& s : spellings) {
    if (s.model_type != type || !keys.contains(s.key)) continue;
    if (s.own) keys[s.own] = keys.at(s.key);
    keys.erase(s.key);
  }
  name_back_mamba2(keys);
  // Nemotron-H's first name of it and transformers' own.
  if (keys.contains("attention_head_dim")) keys["head_dim"] = keys.at("attention_head_dim");
  keys["model_type"] = written_type(config);
  // Some classes have one of their own, which need not lie in the vocabulary.
  if (!keys.contains("pad_token_id")) keys["pad_token_id"] = nullptr;
  if (type == "exaone4" && !keys.contains("sliding_window")) keys["sliding_window"] = nullptr;  // 4096 if not said
  if (keys.contains("sliding_window") && !keys.at("sliding_window").is_null()) keys["use_sliding_window"] = true;
  if (!keys.contains("rope_parameters")) return keys;
  // Before version 5, transformers kept these apart.
  const Json rope = keys.at("rope_parameters");
  if (rope.contains("rope_theta")) keys["rope_theta"] = rope.at("rope_theta");
  if (rope.contains("partial_rotary_factor")) keys["partial_rotary_factor"] = rope.at("partial_rotary_factor");
  if (rope.contains("rope_type") && rope.at("rope_type") != "default") keys["rope_scaling"] = rope;
  if (rope.value("rope_type", "") == "longrope" && rope.contains("original_max_position_embeddings"))
    keys["original_max_position_embeddings"] = rope.at("original_max_position_embeddings");  // Phi-3 looks only here
  return keys;
}

}  // namespace

Json config_json(const Checkpoint& checkpoint, const Config& config, const std::string& dtype, bool changed) {
  const std::filesystem::path own = std::filesystem::path(checkpoint.source().folder()) / "config.json";
  Json keys;
  if (!changed && config.text("source_format") == "hugging_face" && std::filesystem::exists(own))
    keys = read_json(own.string());
  if (keys.is_object() && !keys.contains("text_config")) {  // one inside another: only the inner model is written
    keys.erase("quantization_config");                      // what is written is plain
  } else {
    keys = own_keys(config);
    keys["architectures"] = {class_of(written_type(config))};
    if (const auto t = checkpoint.tokenizer()) {
      if (t->bos()) keys["bos_token_id"] = *t->bos();
      if (t->eos()) keys["eos_token_id"] = *t->eos();
    }
  }
  keys.erase("dtype");
  keys["torch_dtype"] = dtype;  // every version of transformers reads this one
  return keys;
}

}  // namespace madang
