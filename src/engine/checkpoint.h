// One model, opened as one thing: weights, tokenizer, chat template, generation defaults and facts. Only the weights
// must be there: a model without tokenizer runs on ids, one without template on plain text.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "engine/pooling.h"
#include "models/model.h"
#include "store/gguf.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace madang {

/// What the model's makers recommend (generation_config.json, GGUF metadata). Absent: not said.
struct GenerationDefaults {
  std::vector<int32_t> ends;  ///< tokens that end an answer, all sources together
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int64_t> top_k;
};

struct OpenOptions {
  std::string config_path;  ///< a config.json to use in place of the model's own
  bool weights = true;      ///< false: everything but the model (inspect, tokenize, template)
  std::string adapter;      ///< a folder with a LoRA adapter to add, or empty
};

class Checkpoint {
 public:
  /// A folder or a file. Throws Error.
  static std::shared_ptr<const Checkpoint> open(const std::string& path, const OpenOptions& options = {});

  const std::string& path() const { return source_->path(); }
  const std::string& name() const { return name_; }
  const Source& source() const { return *source_; }
  const std::shared_ptr<const Source>& shared_source() const { return source_; }
  const Config& config() const { return config_; }
  /// Throws Kind::missing if opened without weights.
  const Model& model() const;
  /// Puts the weights in the order of the integer kernels now, and not at the first product.
  void pack(ThreadPool& pool) const {
    if (weights_) weights_->pack(pool);
  }
  std::shared_ptr<const Tokenizer> tokenizer() const { return tokenizer_; }  ///< null: none
  const ChatTemplate* chat_template() const { return template_ ? &*template_ : nullptr; }
  const std::string& chat_template_text() const { return template_text_; }
  /// Spellings that templates know as bos_token and eos_token; empty if none.
  const std::string& bos_token() const { return bos_token_; }
  const std::string& eos_token() const { return eos_token_; }
  const GenerationDefaults& defaults() const { return defaults_; }
  /// How hidden states become one vector, if the model's files say. Throws Kind::unsupported if it is not built.
  std::optional<Pooling> pooling() const { return read_pooling(*source_); }
  const std::string& licence() const { return licence_; }  ///< as the file states it, or empty
  int64_t max_positions() const;                           ///< the context the model was made for; 0: without bound

 private:
  Checkpoint() = default;
  void read_text_parts();
  void read_defaults();
  void read_gguf_defaults(const Gguf& file);

  std::shared_ptr<const Source> source_;
  Config config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::string name_, template_text_, bos_token_, eos_token_, licence_;
  std::optional<ChatTemplate> template_;
  GenerationDefaults defaults_;
  std::unique_ptr<WeightStore> weights_;
  std::unique_ptr<Model> model_;
};

/// What a GGUF says of its tokenizer. Throws Kind::missing if it has none.
Vocabulary vocabulary_of(const Gguf& file);

/// The tokenizer alone: of a GGUF, a tokenizer file, or a folder.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path, const TiktokenExtras& extras = {});

}  // namespace madang
