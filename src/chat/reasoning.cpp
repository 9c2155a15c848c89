#include "chat/reasoning.h"

#include <algorithm>
#include <array>

#include "chat/marker.h"

namespace madang {
namespace {

struct Markers {
  std::string_view open, close;
};

constexpr std::array markers = {
    Markers{"<think>", "</think>"},        // DeepSeek-R1, Qwen 3, SmolLM3, GLM
    Markers{"<thinking>", "</thinking>"},  // Claude-style distillations
    Markers{"<reasoning>", "</reasoning>"},
    Markers{"<|START_THINKING|>", "<|END_THINKING|>"},  // Command R7B, A
    Markers{"[THINK]", "[/THINK]"},                     // Magistral
    Markers{"<seed:think>", "</seed:think>"},           // Seed-OSS
    Markers{"<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"},  // gpt-oss
    Markers{"<|channel>thought", "<channel|>"},                                                         // Gemma 4
    Markers{"◁think▷", "◁/think▷"},                                                                     // Kimi
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string_view without_blanks_left(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  return text;
}

}  // namespace

ReasoningSplitter::ReasoningSplitter(std::string_view prompt) {
  prompt = prompt.substr(0, prompt.find_last_not_of(blanks) + 1);
  for (const Markers& m : markers)
    if (prompt.ends_with(m.open)) state_ = State::reasoning, close_ = m.close;
}

AnswerParts ReasoningSplitter::push(std::string_view piece) {
  AnswerParts out;
  held_ += piece;
  if (state_ == State::beginning) begin(out);
  if (state_ == State::reasoning) reason(out);
  if (state_ == State::gap) {  // the blank lines between reasoning and answer belong to neither
    held_ = without_blanks_left(held_);
    if (!held_.empty()) state_ = State::text;
  }
  if (state_ == State::text) out.text += held_, held_.clear();
  return out;
}

void ReasoningSplitter::begin(AnswerParts&) {
  const std::string_view text = without_blanks_left(held_);
  for (const Markers& m : markers) {
    if (text.starts_with(m.open)) {
      held_ = std::string(text.substr(m.open.size()));
      state_ = State::reasoning, close_ = m.close;
      return;
    }
  }
  const bool may_open = std::ranges::any_of(markers, [&](const Markers& m) { return m.open.starts_with(text); });
  if (!may_open) state_ = State::text;
}

void ReasoningSplitter::reason(AnswerParts& out) {
  if (const size_t at = held_.find(close_); at != std::string::npos) {
    out.reasoning += held_.substr(0, at);
    held_.erase(0, at + close_.size());
    state_ = State::gap;
    return;
  }
  const size_t sure = held_.size() - started(held_, close_);
  out.reasoning += held_.substr(0, sure);
  held_.erase(0, sure);
}

AnswerParts ReasoningSplitter::finish() {
  AnswerParts out;
  (state_ == State::reasoning ? out.reasoning : out.text) = state_ == State::gap ? "" : std::move(held_);
  held_.clear();
  return out;
}

bool marks_reasoning(std::string_view text) {
  return std::ranges::any_of(markers,
                             [&](const Markers& m) { return contains(m.open, text) || contains(m.close, text); });
}

}  // namespace madang
