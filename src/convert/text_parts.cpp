#include "convert/text_parts.h"

#include <filesystem>

#include "base/disk.h"
#include "base/error.h"
#include "text/rewrite.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

/// What repositories hold beside weights and configuration.
constexpr const char* text_files[] = {
    "tokenizer.json", "tokenizer.model",      "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json",     "merges.txt",           "chat_template.jinja",   "generation_config.json",  "tokenizer.bin",
    "qwen.tiktoken",  "cl100k_base.tiktoken", "tiktoken.model",        "rwkv_vocab_v20230424.txt"};

void put_id(GgufHeader& out, const char* key, std::optional<int32_t> id) {
  if (id && *id >= 0) out.put(std::string("tokenizer.ggml.") + key + "_token_id", static_cast<uint32_t>(*id));
}

void write_vocabulary(GgufHeader& out, const Vocabulary& v) {
  out.put("tokenizer.ggml.model", v.model);
  if (!v.pre.empty()) out.put("tokenizer.ggml.pre", v.pre);
  out.put("tokenizer.ggml.tokens", std::span<const std::string>(v.tokens));
  if (!v.scores.empty()) out.put("tokenizer.ggml.scores", std::span<const float>(v.scores));
  if (!v.types.empty()) out.put("tokenizer.ggml.token_type", std::span<const int32_t>(v.types));
  if (!v.merges.empty()) out.put("tokenizer.ggml.merges", std::span<const std::string>(v.merges));
  put_id(out, "bos", v.bos), put_id(out, "eos", v.eos), put_id(out, "unknown", v.unk), put_id(out, "padding", v.pad);
  if (v.add_bos) out.put("tokenizer.ggml.add_bos_token", *v.add_bos);
  if (v.add_eos) out.put("tokenizer.ggml.add_eos_token", *v.add_eos);
  if (v.add_space_prefix) out.put("tokenizer.ggml.add_space_prefix", *v.add_space_prefix);
  if (v.remove_extra_whitespaces) out.put("tokenizer.ggml.remove_extra_whitespaces", *v.remove_extra_whitespaces);
}

/// GGUF names one end; the end of a turn and of a message are for the others.
void write_ends(GgufHeader& out, std::optional<int32_t> eos, std::optional<int32_t> eot, std::vector<int32_t> ends) {
  std::erase_if(ends, [&](int32_t id) { return id == eos || id == eot; });
  if (eot && eot != eos) ends.insert(ends.begin(), *eot);
  if (!ends.empty()) put_id(out, "eot", ends[0]);
  if (ends.size() > 1) put_id(out, "eom", ends[1]);
}

void write_sampling(GgufHeader& out, const GenerationDefaults& d) {
  auto put = [&](const char* key, const std::optional<double>& value) {
    if (value) out.put(std::string("general.sampling.") + key, static_cast<float>(*value));
  };
  put("temp", d.temperature), put("top_p", d.top_p), put("min_p", d.min_p), put("penalty_repeat", d.repetition_penalty);
  if (d.top_k) out.put("general.sampling.top_k", static_cast<int32_t>(*d.top_k));
}

Json generation_config(const Checkpoint& c) {
  const GenerationDefaults& d = c.defaults();
  Json out = Json::object();
  if (c.tokenizer() && c.tokenizer()->bos()) out["bos_token_id"] = *c.tokenizer()->bos();
  if (!d.ends.empty()) out["eos_token_id"] = d.ends;
  if (d.temperature || d.top_p || d.min_p || d.top_k) out["do_sample"] = true;
  auto put = [&](const char* key, const auto& value) {
    if (value) out[key] = *value;
  };
  put("temperature", d.temperature), put("top_p", d.top_p), put("min_p", d.min_p), put("top_k", d.top_k);
  put("repetition_penalty", d.repetition_penalty);
  return out;
}

}  // namespace

TextParts text_parts_of(const Checkpoint& c) {
  if (!c.tokenizer()) return {};
  if (const Gguf* gguf = c.source().gguf()) return {vocabulary_of(*gguf)};
  return {vocabulary_of_folder(c.source().folder(), c.config().integer("vocab_size"))};
}

void write_text_parts(GgufHeader& out, const TextParts& parts, const Checkpoint& c) {
  const std::vector<int32_t>& ends = c.defaults().ends;
  if (const auto& v = parts.vocabulary) {
    write_vocabulary(out, *v);
    write_ends(out, v->eos, v->eot, ends);
  } else {
    out.put("tokenizer.ggml.model", "none");
    const std::vector<int64_t> bos = c.config().integers("bos_token_id");
    if (!bos.empty() && bos[0] <= INT32_MAX) put_id(out, "bos", static_cast<int32_t>(bos[0]));
    const std::optional<int32_t> eos = ends.empty() ? std::nullopt : std::optional(ends[0]);
    put_id(out, "eos", eos);
    write_ends(out, eos, {}, ends);
  }
  write_sampling(out, c.defaults());
  if (!c.chat_template_text().empty()) out.put("tokenizer.chat_template", c.chat_template_text());
}

void write_text_file(const std::string& folder, const std::string& name, std::string_view text) {
  write_whole(fs::path(folder) / name, text);
}

void write_text_files(const std::string& folder, const Checkpoint& c) {
  if (!c.source().gguf()) {
    for (const char* name : text_files) {
      const fs::path from = fs::path(c.source().folder()) / name;
      std::error_code fault;
      if (!fs::exists(from, fault)) continue;
      fs::copy_file(from, fs::path(folder) / name, fs::copy_options::overwrite_existing, fault);
      if (fault) cannot_write((fs::path(folder) / name).string(), fault.value());
    }
    return;
  }
  if (const Json said = generation_config(c); !said.empty())
    write_text_file(folder, "generation_config.json", said.dump(2) + "\n");
  if (!c.tokenizer()) return;
  const Vocabulary v = vocabulary_of(*c.source().gguf());
  if (v.model == "rwkv")
    write_text_file(folder, "rwkv_vocab_v20230424.txt", world_file_of(v));
  else
    write_text_file(folder, "tokenizer.json", tokenizer_json_of(v).dump() + "\n");
  write_text_file(folder, "tokenizer_config.json",
                  tokenizer_config_of(*c.tokenizer(), c.chat_template_text()).dump(2) + "\n");
}

}  // namespace madang
