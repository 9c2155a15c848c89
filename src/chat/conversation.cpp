#include "chat/conversation.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "chat/family.h"
#include "chat/messages.h"

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

bool knows_tools(std::string_view template_text) { return families::contains(template_text, "tools"); }
bool knows_calls(std::string_view template_text) { return families::contains(template_text, "tool_calls"); }

// What a model whose template shows no tools is told of them: what they are, and a call in the family's own form.
std::string described(const ChatFamily& family, const Json& tools) {
  std::string call = family.forced("FUNCTION");
  call += call.ends_with('{') ? "\"ARGUMENT\": VALUE}" : "{\"ARGUMENT\": VALUE}";
  std::string text = "You can call these functions. To call one, answer with nothing but this:\n" + call +
                     std::string(family.ending) + "\n";
  for (const Json& tool : tools) text += tool["function"].dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return text;
}

// Calls as the text that the plain family writes, and their results as what the user says.
Json without_calls(const Json& messages) {
  Json out = Json::array();
  for (const Json& m : messages) {
    Json copy = m;
    if (m.contains("tool_calls")) {
      std::string text = m["content"].is_string() ? m["content"].get<std::string>() : "";
      for (const Json& call : m["tool_calls"]) text += (text.empty() ? "" : "\n") + call["function"].dump();
      copy["content"] = text;
      copy.erase("tool_calls");
    } else if (m["role"] == "tool") {
      copy = {{"role", "user"},
              {"content", "Result of " + m.value("name", "the function") + ": " + m["content"].get<std::string>()}};
    }
    out.push_back(std::move(copy));
  }
  return out;
}

// The other ways in which templates take a message that calls.
Json with_arguments_as_text(Json messages) {
  for (Json& m : messages)
    if (m.contains("tool_calls"))
      for (Json& call : m["tool_calls"]) call["function"]["arguments"] = call["function"]["arguments"].dump();
  return messages;
}

Json with_empty_content(Json messages) {
  for (Json& m : messages)
    if (m["content"].is_null()) m["content"] = "";
  return messages;
}

// Mistral's templates refuse calls whose ids are not nine letters and digits, which is what clients bring along from
// other models: those get one that follows from their own.
std::string short_id(const std::string& id) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (id.size() == 9 && id.find_first_not_of(letters) == id.npos) return id;
  uint64_t hash = id.size();
  for (const char c : id) hash = splitmix64(hash ^ static_cast<unsigned char>(c));
  std::string out;
  for (int i = 0; i < 9; ++i, hash /= letters.size()) out += letters[hash % letters.size()];
  return out;
}

Json with_short_ids(Json messages) {
  for (Json& m : messages) {
    if (m.contains("tool_call_id")) m["tool_call_id"] = short_id(m["tool_call_id"].get<std::string>());
    if (!m.contains("tool_calls")) continue;
    for (Json& call : m["tool_calls"])
      call["id"] = short_id(call["id"].is_string() ? call["id"].get<std::string>() : "");
  }
  return messages;
}

Json with_system(Json messages, const std::string& text) {
  if (!messages.empty() && is_system(messages[0]))
    messages[0]["content"] = messages[0]["content"].get<std::string>() + "\n\n" + text;
  else
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", text}});
  return messages;
}

}  // namespace

Conversation::Conversation(const Checkpoint& checkpoint, bool plain)
    : checkpoint_(checkpoint), plain_(plain || !checkpoint.chat_template()), family_(family_of(checkpoint)) {
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

void Conversation::replace(Json messages, const std::string& where) { messages_ = checked_messages(messages, where); }

void Conversation::set_tools(Json tools, const Json& choice) {
  tools_ = checked_tools(tools);
  call_forced_ = false;
  forced_function_.clear();
  auto known = [&](const std::string& name) {
    return std::ranges::any_of(tools_, [&](const Json& t) { return t["function"]["name"] == name; });
  };
  if (choice.is_null() || choice == "auto") return;
  if (choice == "none") {
    tools_ = Json::array();
  } else if (choice == "required" && !tools_.empty()) {
    call_forced_ = true;
    if (tools_.size() == 1) forced_function_ = tools_[0]["function"]["name"].get<std::string>();
  } else if (choice.is_object() && choice.contains("function") && choice["function"].is_object() &&
             known(choice["function"].value("name", ""))) {
    call_forced_ = true;
    forced_function_ = choice["function"]["name"].get<std::string>();
  } else {
    throw Error(Kind::format, say("tool_choice names no tool of the request"))
        .at("tool_choice")
        .expected("none, auto, required, {\"type\": \"function\", \"function\": {\"name\": ...}}")
        .found(choice.dump());
  }
}

// What transformers passes to every template: tools and documents as none, the special tokens by name.
std::string Conversation::render(const Json& messages, const RenderOptions& options) const {
  Json variables = {
      {"messages", messages},
      {"tools", tools_.empty() || !knows_tools(checkpoint_.chat_template_text()) ? Json(nullptr) : tools_},
      {"documents", nullptr},
      {"add_generation_prompt", true}};
  if (!checkpoint_.bos_token().empty()) variables["bos_token"] = checkpoint_.bos_token();
  if (!checkpoint_.eos_token().empty()) variables["eos_token"] = checkpoint_.eos_token();
  for (const auto& [name, value] : variables_.items()) variables[name] = value;
  return checkpoint_.chat_template()->render(variables, options);
}

std::string Conversation::plain_text() const {
  std::string text;
  for (const Json& m : messages_) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    if (m["content"].is_string()) text += m["content"].get_ref<const std::string&>();
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

// The template's own way first; then, for conversations with calls, what other templates take; then without a system
// role. The first refusal is the one that is told.
std::string Conversation::template_text(const RenderOptions& options) const {
  const std::string& source = checkpoint_.chat_template_text();
  Json messages = knows_calls(source) ? messages_ : without_calls(messages_);
  if (family_.short_ids) messages = with_short_ids(std::move(messages));
  if (!tools_.empty() && !knows_tools(source)) messages = with_system(std::move(messages), described(family_, tools_));
  std::vector<Json> ways = {messages};
  const bool calls = std::ranges::any_of(messages, [](const Json& m) { return m.contains("tool_calls"); });
  if (calls) {
    ways.push_back(with_empty_content(messages));
    ways.push_back(with_arguments_as_text(messages));
    ways.push_back(with_empty_content(with_arguments_as_text(messages)));
  }
  if (std::ranges::any_of(messages, is_system))
    for (size_t i = 0, n = ways.size(); i < n; ++i) ways.push_back(folded(ways[i]));
  std::optional<Error> first;
  for (const Json& way : ways) {
    try {
      return render(way, options);
    } catch (const Error& fault) {
      const bool other_way = fault.kind() == Kind::refused || (calls && fault.kind() == Kind::mismatch);
      if (!other_way) throw;
      if (!first) first = fault;
    }
  }
  throw *first;
}

Prompt Conversation::prompt(const RenderOptions& options) const {
  Prompt p;
  p.text = plain_ ? plain_text() : template_text(options);
  if (call_forced_) p.begun = forced_opening(family_, forced_function_, p.text);
  p.ids = encode(p.text + p.begun);
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
