// A model: token ids in, logits of the wanted rows out. Built from a Config and a Scope, knows no file, no
// tokenizer and no thread.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "nn/layers.h"

namespace madang {

class Model {
 public:
  virtual ~Model() = default;
  /// Logits of step.wanted, [wanted, vocabulary]. States of the step's sequences grow; step.advance() comes after.
  virtual Tensor forward(Ctx& c, const Step& step) const = 0;
  /// The same before the output head: hidden states of step.wanted after the final norm, [wanted, width]. Throws
  /// Kind::unsupported from models that have none to show.
  virtual Tensor hidden(Ctx& c, const Step& step) const;
  /// What each layer remembers, in the order of the sequence states.
  virtual std::vector<StateSpec> states() const = 0;
  virtual int64_t vocabulary() const = 0;
};

/// One row per architecture.
struct Architecture {
  std::string_view name;    ///< model_type of config.json and of Config::architecture()
  std::string_view family;  ///< for people: "Llama", "Gemma"
  std::unique_ptr<Model> (*build)(const Config& config, const Scope& scope);
  std::string_view note;  ///< what the row covers
};
std::span<const Architecture> architectures();

/// Throws Kind::unsupported naming the architecture and the nearest known one.
std::unique_ptr<Model> build_model(const Config& config, const Scope& scope);

/// What a configuration alone says of a model: its weights, in the names of its Hugging Face repositories, and what it
/// remembers of a sequence.
struct Blueprint {
  std::vector<NamedShape> weights;
  std::vector<StateSpec> states;
};
/// Throws as build_model does.
Blueprint blueprint_of(const Config& config);

}  // namespace madang
