// A whole model of some 30 kB made on the spot: two Llama layers of random weights, a byte-level tokenizer with three
// special tokens, a chat template in the ChatML manner. What it says is noise, and always the same noise.
#pragma once
#include <fstream>
#include <random>

#include "base/json.h"
#include "store/safetensors.h"
#include "support.h"
#include "text/unicode.h"

namespace madang::test {

inline const char* chatml_template =
    "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr int tiny_vocabulary = 256 + 3, tiny_bos = 256, tiny_start = 257, tiny_end = 258;

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline Json tiny_tokenizer() {
  Json vocabulary = Json::object(), added = Json::array();
  for (int b = 0; b < 256; ++b) vocabulary[letters_of_bytes(std::string(1, static_cast<char>(b)))] = b;
  for (int i = 0; const char* name : {"<|bos|>", "<|im_start|>", "<|im_end|>"})
    added.push_back({{"id", 256 + i++},
                     {"content", name},
                     {"special", true},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false}});
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}}};
}

inline void write_tiny_weights(const std::string& path) {
  constexpr int64_t dim = 32, inner = 64, heads = 4, kv = 2, head = 8;
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.3f);
  std::vector<std::pair<std::string, Shape>> wanted = {{"model.embed_tokens.weight", {tiny_vocabulary, dim}},
                                                       {"model.norm.weight", {dim}}};
  for (int layer = 0; layer < 2; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    wanted.insert(wanted.end(), {{at + "self_attn.q_proj.weight", {heads * head, dim}},
                                 {at + "self_attn.k_proj.weight", {kv * head, dim}},
                                 {at + "self_attn.v_proj.weight", {kv * head, dim}},
                                 {at + "self_attn.o_proj.weight", {dim, heads * head}},
                                 {at + "mlp.gate_proj.weight", {inner, dim}},
                                 {at + "mlp.up_proj.weight", {inner, dim}},
                                 {at + "mlp.down_proj.weight", {dim, inner}},
                                 {at + "input_layernorm.weight", {dim}},
                                 {at + "post_attention_layernorm.weight", {dim}}});
  }
  std::vector<Buffer> kept;
  std::vector<NamedTensor> tensors;
  for (auto& [name, shape] : wanted) {
    kept.emplace_back(DType::f32, shape);
    for (int64_t i = 0; i < shape.numel(); ++i) kept.back().f32()[i] = shape.rank == 1 ? 1.0f : normal(random);
    tensors.push_back({name, kept.back()});
  }
  write_safetensors(path, tensors);
}

/// Into an existing folder. `chat_template` empty: none; `tokenizer` false: a model of ids alone.
inline void write_tiny_model(const std::string& folder, const std::string& chat_template = chatml_template,
                             bool tokenizer = true) {
  write_file(folder + "/config.json", Json{{"architectures", {"LlamaForCausalLM"}},
                                           {"model_type", "llama"},
                                           {"vocab_size", tiny_vocabulary},
                                           {"hidden_size", 32},
                                           {"intermediate_size", 64},
                                           {"num_hidden_layers", 2},
                                           {"num_attention_heads", 4},
                                           {"num_key_value_heads", 2},
                                           {"max_position_embeddings", 512},
                                           {"rms_norm_eps", 1e-5},
                                           {"rope_theta", 10000.0},
                                           {"hidden_act", "silu"},
                                           {"tie_word_embeddings", true},
                                           {"eos_token_id", tiny_end},
                                           {"bos_token_id", tiny_bos}}
                                          .dump());
  write_tiny_weights(folder + "/model.safetensors");
  if (!tokenizer) return;
  write_file(folder + "/tokenizer.json", tiny_tokenizer().dump());
  Json config = {{"bos_token", "<|bos|>"}, {"eos_token", "<|im_end|>"}, {"add_bos_token", true}};
  if (!chat_template.empty()) config["chat_template"] = chat_template;
  write_file(folder + "/tokenizer_config.json", config.dump());
}

}  // namespace madang::test
