// What a step computes: forwards over pieces of sequences, and what becomes of their rows.
#include <algorithm>

#include "engine/engine.h"
#include "engine/windows.h"

namespace madang {

// `want`: all rows of prompts that are scored, or those that are sampled from.
void Engine::run(std::span<const Scheduler::Piece> pieces, Step::Want want) {
  Step step;
  for (const Scheduler::Piece& piece : pieces) {
    Sequence& q = sequences_.at(piece.id).sequence;
    step.add(std::span(q.tokens).subspan(static_cast<size_t>(piece.begin), static_cast<size_t>(piece.count)), &q.state,
             piece.last || want == Step::Want::all ? want : Step::Want::none);
  }
  const Tensor logits = work_.forward(model_, step);  // [rows wanted, V]
  if (want == Step::Want::all) judge(pieces, logits);
  int64_t row = 0;
  std::vector<std::pair<Id, int64_t>> sampling;  // with the row of logits
  for (const Scheduler::Piece& piece : pieces) {
    row += want == Step::Want::all ? piece.count : piece.last;
    if (!sequences_.contains(piece.id)) continue;  // its logits were no numbers
    Slot& slot = sequences_.at(piece.id);
    if (std::ranges::binary_search(slot.sequence.marks, slot.sequence.state.length))
      cache_.keep(slot.sequence.tokens, slot.sequence.state.fork());
    if (!piece.last || !tell_scores(piece.id)) continue;
    sampling.emplace_back(piece.id, row - 1);
    for (int choice = 1, copies = std::exchange(slot.copies, 0); choice <= copies; ++choice) {
      Sequence copy = slot.sequence.fork();
      copy.sampler.reseed(choice_seed(copy.sampler.options().seed, choice));
      sampling.emplace_back(add(slot.request, choice, 0, std::move(copy)), row - 1);
    }
  }
  sample(sampling, logits);
}

// Each sequence has a sampler of its own: they draw side by side, and what they drew is told in order.
void Engine::sample(std::span<const std::pair<Id, int64_t>> rows, const Tensor& logits) {
  auto row = [&](size_t i) {
    return std::span<const float>(logits.row(rows[i].second), static_cast<size_t>(logits.cols()));
  };
  std::vector<Sampler*> samplers;
  for (const auto& [id, at] : rows) samplers.push_back(&sequences_.at(id).sequence.sampler);
  std::vector<std::optional<Sampled>> drawn(rows.size());
  std::vector<std::exception_ptr> faults(rows.size());
  work_.pool().parallel(static_cast<int64_t>(rows.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      try {
        drawn[i] = samplers[i]->sample(row(i));
      } catch (...) {
        faults[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& fault : faults)
    if (fault) std::rethrow_exception(fault);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Slot& slot = sequences_.at(rows[i].first);
    if (on_logits) on_logits(slot.request, slot.choice, row(i));
    advance(rows[i].first, std::move(drawn[i]));
  }
}

// A few rows at a time: a whole step of logits would be hundreds of megabytes where the vocabulary is large.
void Engine::score(std::span<const Scheduler::Piece> pieces) {
  std::vector<Scheduler::Piece> few;
  int64_t rows = 0;
  auto run_few = [&] {
    if (!few.empty()) run(few, Step::Want::all);
    few.clear(), rows = 0;
  };
  for (Scheduler::Piece piece : pieces)
    while (piece.count > 0 && sequences_.contains(piece.id)) {
      const int64_t count = std::min(piece.count, logit_rows - rows);
      few.push_back({piece.id, piece.begin, count, piece.last && count == piece.count});
      piece.begin += count, piece.count -= count, rows += count;
      if (rows == logit_rows) run_few();
    }
  run_few();
}

// Row i says how likely token i + 1 was. Rows of what is scored already (a state began further back) are passed over.
void Engine::judge(std::span<const Scheduler::Piece> pieces, const Tensor& logits) {
  struct Judged {
    Id id;
    int64_t row, position;  // of the token that is judged
    int top;
    std::optional<Sampled> score;
  };
  std::vector<Judged> all;
  int64_t row = 0;
  for (const Scheduler::Piece& piece : pieces) {
    const Sequence& q = sequences_.at(piece.id).sequence;
    for (int64_t at = piece.begin + 1; at <= piece.begin + piece.count; ++at, ++row)
      if (at >= static_cast<int64_t>(q.scores.size()) && at < q.usage.prompt)
        all.push_back({piece.id, row, at, *q.scoring, {}});
  }
  work_.pool().parallel(static_cast<int64_t>(all.size()), 1, [&](int64_t begin, int64_t end) {
    for (Judged& j : std::span(all).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)))
      j.score = judged({logits.row(j.row), static_cast<size_t>(logits.cols())},
                       sequences_.at(j.id).sequence.tokens[static_cast<size_t>(j.position)], j.top);
  });
  for (Judged& j : all) {
    if (!sequences_.contains(j.id)) continue;
    if (j.score)
      sequences_.at(j.id).sequence.scores.push_back(std::move(*j.score));
    else
      close(j.id, Finish::failed, {.reason = say("the model's logits are not numbers")});
  }
}

// Once its prompt has been computed whole. False: that was all that was asked.
bool Engine::tell_scores(Id id) {
  Slot& slot = sequences_.at(id);
  Sequence& q = slot.sequence;
  if (!q.scoring) return true;
  const auto prompt = std::span(q.tokens).first(static_cast<size_t>(q.usage.prompt));
  if (q.reuse) scores_.keep(prompt, *q.scoring, q.scores);
  q.scoring.reset();
  Event event{.request = slot.request, .choice = slot.choice};
  event.prompt_scores = std::exchange(q.scores, {}), event.usage = q.usage;
  pending_.push_back(std::move(event));
  if (q.answers) return true;
  close(id, Finish::length, {});
  return false;
}

void Engine::read(std::span<const Scheduler::Piece> pieces) {
  Step step;
  for (const Scheduler::Piece& piece : pieces) {
    Sequence& q = sequences_.at(piece.id).sequence;
    step.add(std::span(q.tokens).subspan(static_cast<size_t>(piece.begin), static_cast<size_t>(piece.count)), &q.state,
             Step::Want::all);
  }
  const Tensor hidden = work_.hidden(model_, step);  // [tokens, D]
  int64_t row = 0;
  for (const Scheduler::Piece& piece : pieces) {
    Pool& pool = *sequences_.at(piece.id).sequence.pool;
    for (int64_t i = 0; i < piece.count; ++i) pool.add({hidden.row(row++), static_cast<size_t>(hidden.cols())});
    if (piece.last) close(piece.id, Finish::end, {.embedding = pool.value()});
  }
}

void Engine::advance(Id id, std::optional<Sampled> sampled) {
  Slot& slot = sequences_.at(id);
  Sequence& q = slot.sequence;
  if (!sampled) return close(id, Finish::failed, {.reason = say("the model's logits are not numbers")});
  Event event{.token = sampled->id};
  q.tokens.push_back(sampled->id);
  ++q.usage.answer, ++stats_.answer_tokens;
  const bool ended = std::ranges::find(q.ends, sampled->id) != q.ends.end();
  if (!ended) event.text = q.push(sampled->id);
  if (q.sampler.options().logprobs) event.logprobs = std::move(sampled);
  const Finish finish = ended                                               ? Finish::end
                        : q.stop.found()                                    ? Finish::stop
                        : q.usage.answer == q.max_tokens                    ? Finish::length
                        : static_cast<int64_t>(q.tokens.size()) >= context_ ? Finish::context
                                                                            : Finish::none;
  if (finish != Finish::none) return close(id, finish, std::move(event));
  event.request = slot.request, event.choice = slot.choice, event.usage = q.usage;
  scheduler_.grow(id);
  pending_.push_back(std::move(event));
}

}  // namespace madang
