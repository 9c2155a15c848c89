#include "chat/answer.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"

namespace madang {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

double Answer::tokens_per_second() const {
  // The first token belongs to the prompt: its time is the prompt's.
  return ids.size() > 1 && answer_seconds > 0 ? static_cast<double>(ids.size() - 1) / answer_seconds : 0;
}

std::vector<Answer> answers(Engine& engine, Request request, std::string_view prompt_text, bool split,
                            const std::function<bool(int, const AnswerParts&)>& show) {
  std::vector<Answer> results(static_cast<size_t>(std::max(request.n, 1)));
  std::vector<ReasoningSplitter> splitters(results.size(), ReasoningSplitter(prompt_text));
  const auto begin = Clock::now();
  std::vector<Clock::time_point> first(results.size(), begin);
  const int64_t number = engine.submit(std::move(request));
  bool stopped = false;
  auto pass_on = [&](int choice, const AnswerParts& parts) {
    Answer& result = results[static_cast<size_t>(choice)];
    result.text += parts.text, result.reasoning += parts.reasoning;
    if (!stopped && !show(choice, parts)) stopped = true, engine.cancel(number);
  };
  for (size_t open = results.size(); open > 0;) {
    bool told = false;
    for (const Event& e : engine.step()) {
      if (e.request != number) continue;
      told = true;
      const auto at = static_cast<size_t>(e.choice);
      Answer& result = results[at];
      if (e.token >= 0) {
        if (result.ids.empty()) first[at] = Clock::now(), result.prompt_seconds = seconds_since(begin);
        result.ids.push_back(e.token);
      }
      result.usage = e.usage;
      if (e.finish == Finish::failed) throw *e.fault;
      if (!e.text.empty() && !stopped) pass_on(e.choice, split ? splitters[at].push(e.text) : AnswerParts{"", e.text});
      if (e.finish == Finish::none) continue;
      result.finish = e.finish;
      result.answer_seconds = seconds_since(first[at]);
      if (split) pass_on(e.choice, splitters[at].finish());
      --open;
    }
    // While a long prompt is computed nothing comes; the listener may stop that too.
    if (!told) pass_on(0, {});
  }
  return results;
}

Answer answer(Engine& engine, Request request, std::string_view prompt_text, bool split,
              const std::function<bool(const AnswerParts&)>& show) {
  request.n = 1;
  return answers(engine, std::move(request), prompt_text, split,
                 [&](int, const AnswerParts& parts) { return show(parts); })[0];
}

}  // namespace madang
