// A conversation: messages, and the tokens they are for a model. With a chat template the model's own way of writing a
// conversation is used; without one, everything said so far is one plain text that the model goes on with.
// System prompts: none is made up; a template's own default stays. A template that knows no system role gets its text
// in front of the first user message.
// Refuses: a model without tokenizer, messages that are not objects with a role and a content.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/checkpoint.h"
#include "text/chat_template.h"

namespace madang {

struct Prompt {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<int64_t> marks;  ///< lengths worth keeping: up to the newest user message
};

class Conversation {
 public:
  /// `checkpoint` must outlive it. `plain`: as if there were no template. Throws Kind::missing without a tokenizer.
  explicit Conversation(const Checkpoint& checkpoint, bool plain = false);

  bool plain() const { return plain_; }
  const Json& messages() const { return messages_; }
  bool empty() const { return messages_.empty(); }

  void set_system(std::string text);  ///< "": none
  std::string system() const;
  void add_user(std::string text);
  /// `reasoning` is kept as "reasoning_content", where templates look for it.
  void add_assistant(std::string text, std::string reasoning = "");
  void drop_last();  ///< the newest message, if there is one
  void reset();      ///< all but the system prompt
  /// Throws Kind::format unless it is an array of messages.
  void replace(Json messages, const std::string& where);

  /// More variables for the template ("enable_thinking": false).
  void set_variable(const std::string& name, Json value) { variables_[name] = std::move(value); }

  /// What the model is to go on with. Throws Error: the template's own refusal, limits.
  Prompt prompt(const RenderOptions& options = {}) const;

 private:
  std::string render(const Json& messages, const RenderOptions& options) const;
  std::string plain_text() const;
  std::vector<int32_t> encode(const std::string& text) const;

  const Checkpoint& checkpoint_;
  bool plain_;
  Json messages_ = Json::array();
  Json variables_ = Json::object();
};

}  // namespace madang
