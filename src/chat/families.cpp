// One row for each family, in the order in which they are tried.
#include "chat/families.h"

#include <algorithm>
#include <array>

#include "chat/family.h"
#include "chat/reasoning.h"

namespace madang {
namespace {

constexpr std::array family_rows = {&families::harmony,     &families::mistral_args, &families::mistral,
                                    &families::deepseek_31, &families::deepseek,     &families::command_r7b,
                                    &families::command_r,   &families::hyperclova,   &families::hermes,
                                    &families::phi4_mini,   &families::kanana,       &families::functionary,
                                    &families::llama,       &families::gemma,        &families::plain};

}  // namespace

std::span<const ChatFamily* const> chat_families() { return family_rows; }

const ChatFamily& family_of(std::string_view template_text, const Tokenizer* tokenizer) {
  return **std::ranges::find_if(family_rows, [&](const ChatFamily* f) { return f->fits(template_text, tokenizer); });
}

const ChatFamily& family_of(const Checkpoint& checkpoint) {
  return family_of(checkpoint.chat_template_text(), checkpoint.tokenizer().get());
}

std::string_view name_of(const ChatFamily& family) { return family.name; }

std::string forced_opening(const ChatFamily& family, std::string_view function, std::string_view prompt_text) {
  std::string closing;
  const ReasoningSplitter reasoning(prompt_text);
  if (reasoning.inside() && !family.channels) closing = std::string(reasoning.close()) + "\n\n";
  std::string opening = family.forced(function);
  if (&family == &families::functionary && !prompt_text.ends_with(">>>")) opening = ">>>" + opening;
  return closing + opening;
}

SilentTokens silent_tokens(const ChatFamily& family, const Tokenizer& tokenizer) {
  // What the readers of answers look for, besides the openings of the family itself.
  static constexpr std::string_view marks[] = {"<think>",
                                               "</think>",
                                               "<thinking>",
                                               "</thinking>",
                                               "<reasoning>",
                                               "</reasoning>",
                                               "[THINK]",
                                               "[/THINK]",
                                               "<seed:think>",
                                               "</seed:think>",
                                               "◁think▷",
                                               "◁/think▷",
                                               "</tool_call>",
                                               "[ARGS]",
                                               "[CALL_ID]",
                                               "<|END_ACTION|>",
                                               "</function>",
                                               "<|/tool_call|>",
                                               "<｜tool▁calls▁end｜>",
                                               "<｜tool▁call▁begin｜>",
                                               "<｜tool▁call▁end｜>",
                                               "<｜tool▁sep｜>",
                                               "<function="};
  static constexpr std::string_view channels[] = {"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>",
                                                  "<|end|>",   "<|return|>",  "<|call|>"};
  auto kept = [&](std::string_view text) {
    auto holds = [&](std::string_view mark) { return mark.find(text) != mark.npos; };
    return std::ranges::any_of(marks, holds) || std::ranges::any_of(family.openings, holds) ||
           (family.channels && std::ranges::any_of(channels, holds));
  };
  auto silent = std::make_shared<std::vector<bool>>(static_cast<size_t>(tokenizer.size()));
  for (int32_t id = 0; id < tokenizer.size(); ++id)
    (*silent)[static_cast<size_t>(id)] = tokenizer.is_special(id) && !kept(tokenizer.token_text(id));
  return silent;
}

}  // namespace madang
