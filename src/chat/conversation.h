// A conversation: messages, and the tokens they are for a model. With a chat template the model's own way of writing a
// conversation is used; without one, everything said so far is one plain text that the model goes on with.
// System prompts: none is made up; a template's own default stays. A template that knows no system role gets its text
// in front of the first user message.
// Tools: the template gets OpenAI's array as `tools`. Where it has no notion of them, they are described in the system
// text, with the form of a call; where it knows no calls either, calls of the past are written as text in the plain
// family's form and their results as what the user says. So tools work with every model.
// Templates differ in what they take for an assistant that only calls (content null or ""), for arguments (an object or
// its text) and for several calls in one message: what a template does not take is tried the other way.
// Refuses: a model without tokenizer; messages of another shape than OpenAI's, with the field's path.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/families.h"
#include "engine/checkpoint.h"
#include "text/chat_template.h"

namespace madang {

struct Prompt {
  std::string text;            ///< as the template wrote it
  std::string begun;           ///< behind it: a beginning of the answer, forced by the choice of tools; "" otherwise
  std::vector<int32_t> ids;    ///< of both
  std::vector<int64_t> marks;  ///< lengths worth keeping: up to the newest user message
};

class Conversation {
 public:
  /// `checkpoint` must outlive it. `plain`: as if there were no template. Throws Kind::missing without a tokenizer.
  explicit Conversation(const Checkpoint& checkpoint, bool plain = false);

  bool plain() const { return plain_; }
  const ChatFamily& family() const { return family_; }
  const Json& messages() const { return messages_; }
  bool empty() const { return messages_.empty(); }

  void set_system(std::string text);  ///< "": none
  std::string system() const;
  void add_user(std::string text);
  /// `reasoning` is kept as "reasoning_content", where templates look for it.
  void add_assistant(std::string text, std::string reasoning = "");
  void drop_last();  ///< the newest message, if there is one
  void reset();      ///< all but the system prompt

  /// OpenAI's messages: roles system, developer (as system), user, assistant, tool; content a text or an array of text
  /// parts, which are joined; assistants may have tool_calls and reasoning_content. Throws Kind::format with the
  /// field's path below `where` as place ("messages[3].tool_calls[0].function.arguments") and what was found there;
  /// the conversation is then as it was. Kind::unsupported: parts that are images, audio or files.
  void replace(Json messages, const std::string& where);

  /// OpenAI's `tools` and `tool_choice` ("none", "auto", "required", {"type": "function", "function": {"name"}}; null:
  /// auto). With "none" the model is not shown any; "required" and a named function make the prompt end with the
  /// beginning of a call. Throws Kind::format with the field's path ("tools[1].function.name", "tool_choice").
  void set_tools(Json tools, const Json& choice = nullptr);
  /// What the model is shown: what an AnswerReader needs to know.
  const Json& tools() const { return tools_; }

  /// More variables for the template ("enable_thinking": false).
  void set_variable(const std::string& name, Json value) { variables_[name] = std::move(value); }

  /// What the model is to go on with. Throws Error: the template's own refusal, limits.
  Prompt prompt(const RenderOptions& options = {}) const;

 private:
  std::string render(const Json& messages, const RenderOptions& options) const;
  std::string template_text(const RenderOptions& options) const;
  std::string plain_text() const;
  std::vector<int32_t> encode(const std::string& text) const;

  const Checkpoint& checkpoint_;
  bool plain_;
  const ChatFamily& family_;
  Json messages_ = Json::array();
  Json tools_ = Json::array();
  bool call_forced_ = false;
  std::string forced_function_;  ///< "": any
  Json variables_ = Json::object();
};

}  // namespace madang
