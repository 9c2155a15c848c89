#include "engine/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

std::optional<int32_t> token_id(const Gguf& file, const char* key) {
  if (!file.has(key)) return {};
  const int64_t id = file.integer(key);
  if (id < 0 || id > INT32_MAX) return {};  // some writers store -1 for "none"
  return static_cast<int32_t>(id);
}

std::optional<bool> flag(const Gguf& file, const char* key) {
  if (!file.has(key)) return {};
  return file.flag(key, false);
}

template <class To, class From>
std::vector<To> copied(const std::vector<From>& in) {
  return {in.begin(), in.end()};
}

bool is_gguf(const std::string& path) {
  if (!fs::is_regular_file(path)) return false;
  auto file = MappedFile::open(path);
  return file->bytes().size() >= 4 && std::equal(file->bytes().begin(), file->bytes().begin() + 4, "GGUF");
}

std::optional<Json> json_beside(const std::string& folder, const char* name) {
  const std::string path = (fs::path(folder) / name).string();
  if (!fs::exists(path)) return {};
  return read_json(path);
}

// tokenizer_config.json holds tokens as text or as {"content": text}.
std::string token_spelling(const Json& config, const char* key) {
  auto found = config.find(key);
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return found->is_object() && found->contains("content") && (*found)["content"].is_string()
             ? (*found)["content"].get<std::string>()
             : std::string();
}

// One template as text, or several with names: the one for plain chat is called "default".
std::string template_of(const Json& config) {
  auto found = config.find("chat_template");
  if (found == config.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array())
    for (const Json& entry : *found)
      if (entry.is_object() && entry.value("name", "") == "default" && entry.contains("template") &&
          entry["template"].is_string())
        return entry["template"].get<std::string>();
  return {};
}

}  // namespace

Vocabulary vocabulary_of(const Gguf& file) {
  Vocabulary v;
  v.where = file.path();
  v.name = file.text("general.name", "");
  v.model = file.text("tokenizer.ggml.model");
  v.pre = file.text("tokenizer.ggml.pre", "");
  v.tokens = copied<std::string>(file.texts("tokenizer.ggml.tokens"));
  v.scores = file.reals("tokenizer.ggml.scores");
  for (int64_t type : file.integers("tokenizer.ggml.token_type")) v.types.push_back(static_cast<int32_t>(type));
  v.merges = copied<std::string>(file.texts("tokenizer.ggml.merges"));
  if (const GgufValue* map = file.value("tokenizer.ggml.precompiled_charsmap"))
    v.precompiled_charsmap.assign(reinterpret_cast<const char*>(map->bytes.data()), map->bytes.size());
  v.bos = token_id(file, "tokenizer.ggml.bos_token_id");
  v.eos = token_id(file, "tokenizer.ggml.eos_token_id");
  v.unk = token_id(file, "tokenizer.ggml.unknown_token_id");
  v.pad = token_id(file, "tokenizer.ggml.padding_token_id");
  v.eot = token_id(file, "tokenizer.ggml.eot_token_id");
  v.add_bos = flag(file, "tokenizer.ggml.add_bos_token");
  v.add_eos = flag(file, "tokenizer.ggml.add_eos_token");
  v.add_space_prefix = flag(file, "tokenizer.ggml.add_space_prefix");
  v.remove_extra_whitespaces = flag(file, "tokenizer.ggml.remove_extra_whitespaces");
  return v;
}

std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path, const TiktokenExtras& extras) {
  if (is_gguf(path)) return Tokenizer::from_vocabulary(vocabulary_of(Gguf(path)));
  return Tokenizer::open(path, extras);
}

std::shared_ptr<const Checkpoint> Checkpoint::open(const std::string& path, const OpenOptions& options) {
  std::shared_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->source_ = open_source(path);
  checkpoint->config_ = options.config_path.empty() ? checkpoint->source_->config() : read_config(options.config_path);
  checkpoint->read_text_parts();
  checkpoint->read_defaults();
  if (options.weights) {
    const auto adapter = options.adapter.empty() ? nullptr : Adapter::read(options.adapter, Adapter::Use::answer);
    checkpoint->weights_ =
        std::make_unique<WeightStore>(checkpoint->source_, checkpoint->config_, Hold::mapped, adapter);
    checkpoint->model_ = build_model(checkpoint->config_, checkpoint->weights_->root());
    checkpoint->weights_->finish();
  }
  return checkpoint;
}

void Checkpoint::read_text_parts() {
  name_ = fs::path(source_->path()).filename().string();
  if (const Gguf* file = source_->gguf()) {
    if (!file->text("general.name", "").empty()) name_ = file->text("general.name");
    licence_ = file->text("general.license", "");
    if (file->has("tokenizer.ggml.model") && file->text("tokenizer.ggml.model") != "none")
      tokenizer_ = Tokenizer::from_vocabulary(vocabulary_of(*file));
    template_text_ = file->text("tokenizer.chat_template", "");
  } else {
    try {
      tokenizer_ = Tokenizer::open(source_->folder());
    } catch (const Error& fault) {
      if (fault.kind() != Kind::missing) throw;
    }
    if (auto config = json_beside(source_->folder(), "tokenizer_config.json"); config && config->is_object()) {
      bos_token_ = token_spelling(*config, "bos_token");
      eos_token_ = token_spelling(*config, "eos_token");
      template_text_ = template_of(*config);
    }
    const fs::path own = fs::path(source_->folder()) / "chat_template.jinja";
    if (fs::exists(own)) {
      auto text = MappedFile::open(own.string());
      template_text_.assign(reinterpret_cast<const char*>(text->bytes().data()), text->bytes().size());
    }
  }
  if (tokenizer_ && bos_token_.empty() && tokenizer_->bos()) bos_token_ = tokenizer_->token_text(*tokenizer_->bos());
  if (tokenizer_ && eos_token_.empty() && tokenizer_->eos()) eos_token_ = tokenizer_->token_text(*tokenizer_->eos());
  if (!template_text_.empty()) template_.emplace(template_text_, name_);
}

void Checkpoint::read_defaults() {
  auto end = [&](int64_t id) {
    if (id >= 0 && id <= INT32_MAX && std::ranges::find(defaults_.ends, id) == defaults_.ends.end())
      defaults_.ends.push_back(static_cast<int32_t>(id));
  };
  for (int64_t id : config_.integers("eos_token_id")) end(id);
  if (tokenizer_) std::ranges::for_each(tokenizer_->ends(), end);
  if (const Gguf* gguf = source_->gguf()) return read_gguf_defaults(*gguf);
  auto file = json_beside(source_->folder(), "generation_config.json");
  if (!file || !file->is_object()) return;
  auto number = [&](const char* key) -> std::optional<double> {
    auto found = file->find(key);
    return found != file->end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
  };
  if (auto ids = file->find("eos_token_id"); ids != file->end())
    for (const Json& id : ids->is_array() ? *ids : Json::array({*ids}))
      if (id.is_number_integer()) end(id.get<int64_t>());
  if (auto sampled = file->find("do_sample"); sampled != file->end() && sampled->is_boolean() && sampled->get<bool>()) {
    defaults_.temperature = number("temperature"), defaults_.top_p = number("top_p"), defaults_.min_p = number("min_p");
    if (auto k = number("top_k")) defaults_.top_k = static_cast<int64_t>(*k);
  }
  defaults_.repetition_penalty = number("repetition_penalty");
}

void Checkpoint::read_gguf_defaults(const Gguf& file) {
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"})
    if (const auto id = token_id(file, key); id && std::ranges::find(defaults_.ends, *id) == defaults_.ends.end())
      defaults_.ends.push_back(*id);
  auto number = [&](const char* key) -> std::optional<double> {
    return file.has(key) ? std::optional(file.real(key)) : std::nullopt;
  };
  defaults_.temperature = number("general.sampling.temp");
  defaults_.top_p = number("general.sampling.top_p"), defaults_.min_p = number("general.sampling.min_p");
  if (file.has("general.sampling.top_k")) defaults_.top_k = file.integer("general.sampling.top_k");
  defaults_.repetition_penalty = number("general.sampling.penalty_repeat");
}

const Model& Checkpoint::model() const {
  if (!model_) throw Error(Kind::internal, say("the checkpoint was opened without its weights")).at(path());
  return *model_;
}

int64_t Checkpoint::max_positions() const { return config_.integer("max_position_embeddings", 0); }

}  // namespace madang
