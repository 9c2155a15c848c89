// One answer as it comes: the engine's events turned into reasoning, text and a result. For the terminal, a pipe and a
// server alike.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "chat/reasoning.h"
#include "engine/engine.h"

namespace madang {

struct Answer {
  std::string text, reasoning;
  std::vector<int32_t> ids;
  Finish finish = Finish::none;
  Usage usage;
  double prompt_seconds = 0, answer_seconds = 0;  ///< until the first token; from it to the last

  double tokens_per_second() const;  ///< of the answer; 0 if it is too short to tell
};

/// Submits and steps until every choice of the request is there. `show` sees every part as it comes; returning false
/// stops all, and what came so far is the answer. `prompt_text` tells whether reasoning is open already; `split` false:
/// all is text. Throws Error if the engine refused or failed.
std::vector<Answer> answers(Engine& engine, Request request, std::string_view prompt_text, bool split,
                            const std::function<bool(int choice, const AnswerParts&)>& show);

/// The same for one choice.
Answer answer(Engine& engine, Request request, std::string_view prompt_text, bool split,
              const std::function<bool(const AnswerParts&)>& show);

}  // namespace madang
