#include "chat/conversation.h"

#include <algorithm>

#include "base/error.h"

namespace madang {
namespace {

bool is_system(const Json& message) { return message.value("role", "") == "system"; }

// The system text in front of the first user message, for templates that know no system role.
Json folded(const Json& messages) {
  Json out = Json::array();
  std::string system;
  for (const Json& m : messages) {
    if (is_system(m)) {
      system += m["content"].get_ref<const std::string&>() + "\n\n";
      continue;
    }
    out.push_back(m);
    if (system.empty() || m["role"] != "user") continue;
    out.back()["content"] = system + m["content"].get_ref<const std::string&>();
    system.clear();
  }
  return out;
}

}  // namespace

Conversation::Conversation(const Checkpoint& checkpoint, bool plain)
    : checkpoint_(checkpoint), plain_(plain || !checkpoint.chat_template()) {
  if (!checkpoint.tokenizer())
    throw Error(Kind::missing, say("this model has no tokenizer: it takes token ids")).at(checkpoint.path());
}

void Conversation::set_system(std::string text) {
  const bool there = !messages_.empty() && is_system(messages_[0]);
  if (there) messages_.erase(messages_.begin());
  if (!text.empty()) messages_.insert(messages_.begin(), Json{{"role", "system"}, {"content", std::move(text)}});
}

std::string Conversation::system() const {
  return !messages_.empty() && is_system(messages_[0]) ? messages_[0]["content"].get<std::string>() : "";
}

void Conversation::add_user(std::string text) { messages_.push_back({{"role", "user"}, {"content", std::move(text)}}); }

void Conversation::add_assistant(std::string text, std::string reasoning) {
  Json message = {{"role", "assistant"}, {"content", std::move(text)}};
  if (!reasoning.empty()) message["reasoning_content"] = std::move(reasoning);
  messages_.push_back(std::move(message));
}

void Conversation::drop_last() {
  if (!messages_.empty()) messages_.erase(messages_.end() - 1);
}

void Conversation::reset() {
  std::string kept = system();
  messages_ = Json::array();
  set_system(std::move(kept));
}

void Conversation::replace(Json messages, const std::string& where) {
  if (!messages.is_array()) throw Error(Kind::format, say("a conversation is an array of messages")).at(where);
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& m = messages[i];
    const bool fits = m.is_object() && m.contains("role") && m["role"].is_string() && m.contains("content") &&
                      m["content"].is_string();
    if (!fits)
      throw Error(Kind::format, say("a message has a role and a content, both texts"))
          .at(fmt::format("{}: [{}]", where, i));
  }
  messages_ = std::move(messages);
}

// What transformers passes to every template: tools and documents as none, the special tokens by name.
std::string Conversation::render(const Json& messages, const RenderOptions& options) const {
  Json variables = {
      {"messages", messages}, {"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", true}};
  if (!checkpoint_.bos_token().empty()) variables["bos_token"] = checkpoint_.bos_token();
  if (!checkpoint_.eos_token().empty()) variables["eos_token"] = checkpoint_.eos_token();
  for (const auto& [name, value] : variables_.items()) variables[name] = value;
  return checkpoint_.chat_template()->render(variables, options);
}

std::string Conversation::plain_text() const {
  std::string text;
  for (const Json& m : messages_) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += m["content"].get_ref<const std::string&>();
  }
  return text;
}

// A template that writes BOS has the last word; else the tokenizer's own habit. Never two of them.
std::vector<int32_t> Conversation::encode(const std::string& text) const {
  const Tokenizer& tokenizer = *checkpoint_.tokenizer();
  auto ids = tokenizer.encode(text, !plain_);
  const auto bos = tokenizer.bos();
  const bool wanted = tokenizer.add_bos() || (plain_ && ids.empty());
  if (bos && wanted && (ids.empty() || ids[0] != *bos)) ids.insert(ids.begin(), *bos);
  return ids;
}

Prompt Conversation::prompt(const RenderOptions& options) const {
  Prompt p;
  if (plain_) {
    p.text = plain_text();
  } else {
    try {
      p.text = render(messages_, options);
    } catch (const Error& fault) {
      if (fault.kind() != Kind::refused || system().empty()) throw;
      p.text = render(folded(messages_), options);
    }
  }
  p.ids = encode(p.text);
  // Models that cannot forget go on only from a length that was kept: the one where the newest message begins, which
  // the next prompt will share.
  const auto newest =
      std::find_if(messages_.rbegin(), messages_.rend(), [](const Json& m) { return m["role"] == "user"; });
  if (newest != messages_.rend() && !plain_) {
    const size_t at = p.text.rfind((*newest)["content"].get_ref<const std::string&>());
    if (at != std::string::npos && at > 0) {
      const auto before = encode(p.text.substr(0, at));
      const auto [left, right] = std::ranges::mismatch(before, p.ids);
      const int64_t shared = left - before.begin();
      if (shared > 0 && shared < static_cast<int64_t>(p.ids.size())) p.marks.push_back(shared);
    }
  }
  return p;
}

}  // namespace madang
