// One row for each family, in the order in which they are tried.
#include "chat/families.h"

#include <algorithm>
#include <array>

#include "chat/family.h"
#include "chat/reasoning.h"

namespace madang {
namespace {

constexpr std::array family_rows = {
    &families::harmony,   &families::mistral_args, &families::mistral,     &families::deepseek_31,
    &families::deepseek,  &families::dsml,         &families::kimi,        &families::command_r7b,
    &families::command_r, &families::hyperclova,   &families::gemma_4,     &families::function_gemma,
    &families::glm,       &families::lfm2,         &families::seed,        &families::hermes,
    &families::phi4_mini, &families::kanana,       &families::functionary, &families::llama,
    &families::gemma,     &families::plain};

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
  if (!prompt_text.ends_with(family.opened)) opening.insert(0, family.opened);
  return closing + opening;
}

SilentTokens silent_tokens(const ChatFamily& family, const Tokenizer& tokenizer) {
  auto kept = [&](std::string_view text) {
    auto holds = [&](std::string_view mark) { return families::contains(mark, text); };
    return marks_reasoning(text) || std::ranges::any_of(family.openings, holds) ||
           std::ranges::any_of(family.markers, holds);
  };
  auto silent = std::make_shared<std::vector<bool>>(static_cast<size_t>(tokenizer.size()));
  for (int32_t id = 0; id < tokenizer.size(); ++id)
    (*silent)[static_cast<size_t>(id)] = tokenizer.is_special(id) && !kept(tokenizer.token_text(id));
  return silent;
}

}  // namespace madang
