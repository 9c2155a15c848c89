// What a step computes: forwards over pieces of sequences, and what becomes of their rows.
#include <algorithm>

#include "engine/engine.h"
#include "engine/windows.h"

namespace madang {

// What a row more costs a step, in steps of one row: such a row does the arithmetic, but not the reading of weights.
constexpr double row_cost = 0.2;

// A sequence to draw for: from its row of logits, and from those of its guesses behind it as far as they are right.
struct Engine::Drawing {
  Id id;
  int64_t row;
  Past past;  // before the guesses, if there are any
  Sequence* sequence = nullptr;
  std::vector<std::optional<Sampled>> drawn;
  std::exception_ptr fault;

  void draw(const Tensor& logits);
};

void Engine::Drawing::draw(const Tensor& logits) {
  const auto width = static_cast<size_t>(logits.cols());
  const std::vector<int32_t>& guesses = sequence->guesses;
  for (bool goes_on = true; goes_on;) {
    const size_t at = drawn.size();
    drawn.push_back(sequence->sampler.sample({logits.row(row + static_cast<int64_t>(at)), width}));
    goes_on = drawn[at] && at < guesses.size() && drawn[at]->id == guesses[at] &&
              std::ranges::find(sequence->ends, guesses[at]) == sequence->ends.end();
  }
}

// Asks for guesses about all that answer. A row's worth: with `answering` rows in a step anyway, a token of one more is
// that part of the step's time.
void Engine::guess() {
  if (!options_.guesser) return;
  std::vector<Guess> all;
  double answering = 0;
  for (const auto& [id, slot] : sequences_) answering += scheduler_.answering(id);
  if (answering == 0) return;
  const double token = (1 + row_cost * (answering - 1)) / answering,
               cost = (row_cost + options_.guesser->cost()) / token;
  for (auto& [id, slot] : sequences_) {
    Sequence& q = slot.sequence;
    if (!scheduler_.answering(id) || q.usage.answer == 0) continue;
    q.guesses.clear(), scheduler_.guess(id, 0);
    int64_t most = std::min(options_.guesses, guess_until_ - static_cast<int64_t>(q.tokens.size()) - 1);
    if (q.max_tokens > 0) most = std::min(most, q.max_tokens - q.usage.answer - 1);
    if (most <= 0) continue;
    if (most = q.luck.worth(cost, most); most == 0)
      q.luck.passed();
    else
      all.push_back(
          {.sequence = id, .tokens = q.tokens, .ends = q.ends, .sampler = &q.sampler, .most = most, .guessed = {}});
  }
  try {
    options_.guesser->guess(work_, all);
  } catch (const std::exception& fault) {  // answers do not depend on it: they go on without
    return give_up_guessing(fault.what());
  }
  for (Guess& g : all) {
    scheduler_.guess(g.sequence, static_cast<int64_t>(g.guessed.size()));
    sequences_.at(g.sequence).sequence.guesses = std::move(g.guessed);
  }
}

// For good: a fault of the guesser itself comes again, after each step's work for nothing; and where memory has run
// out, what the guesser held of it is better left to the answers.
void Engine::give_up_guessing(const char* fault) {
  const Text what = say("guessing ahead has failed and is given up, answers go on without it: {}", fault);
  options_.guesser.reset(), held_ = specs_;
  stats_.guessing_lost = true;
  if (options_.on_guessing_lost) options_.on_guessing_lost(what);
}

// `want`: all rows of prompts that are scored, or those that are sampled from.
void Engine::run(std::span<const Scheduler::Piece> pieces, Step::Want want) {
  Step step;
  std::vector<Past> pasts(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Scheduler::Piece& piece = pieces[i];
    Sequence& q = sequences_.at(piece.id).sequence;
    const auto tokens = std::span(q.tokens).subspan(static_cast<size_t>(piece.begin), static_cast<size_t>(piece.count));
    q.guesses.resize(static_cast<size_t>(piece.guesses));
    if (piece.guesses > 0) {
      pasts[i] = q.state.begin_tentative();
      std::vector<int32_t> with_guesses(tokens.begin(), tokens.end());
      with_guesses.insert(with_guesses.end(), q.guesses.begin(), q.guesses.end());
      step.add(with_guesses, &q.state, Step::Want::all);
    } else {
      step.add(tokens, &q.state, piece.last || want == Step::Want::all ? want : Step::Want::none);
    }
  }
  const Tensor logits = work_.forward(model_, step);  // [rows wanted, V]
  if (want == Step::Want::all) judge(pieces, logits);
  int64_t next = 0;
  std::vector<Drawing> drawings;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Scheduler::Piece& piece = pieces[i];
    next += (want == Step::Want::all ? piece.count : piece.last) + piece.guesses;
    const int64_t row = next - 1 - piece.guesses;
    if (!sequences_.contains(piece.id)) continue;  // its logits were no numbers
    Slot& slot = sequences_.at(piece.id);
    if (piece.guesses == 0) leave_mark(slot.sequence);
    if (!piece.last || !tell_scores(piece.id)) continue;
    drawings.push_back({.id = piece.id, .row = row, .past = std::move(pasts[i]), .drawn = {}, .fault = {}});
    for (int choice = 1, copies = std::exchange(slot.copies, 0); choice <= copies; ++choice) {
      Sequence copy = slot.sequence.fork();
      copy.sampler.reseed(choice_seed(copy.sampler.options().seed, choice));
      drawings.push_back(
          {.id = add(slot.request, choice, 0, std::move(copy)), .row = row, .past = {}, .drawn = {}, .fault = {}});
    }
  }
  sample(drawings, logits);
}

void Engine::leave_mark(const Sequence& q) {
  if (std::ranges::binary_search(q.marks, q.state.length)) cache_.keep(q.tokens, q.state.fork());
}

// Each sequence has a sampler of its own: they draw side by side, and what they drew is told in order.
void Engine::sample(std::span<Drawing> drawings, const Tensor& logits) {
  for (Drawing& d : drawings) d.sequence = &sequences_.at(d.id).sequence;
  work_.pool().parallel(static_cast<int64_t>(drawings.size()), 1, [&](int64_t begin, int64_t end) {
    for (Drawing& d : drawings.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin))) {
      try {
        d.draw(logits);
      } catch (...) {
        d.fault = std::current_exception();
      }
    }
  });
  for (const Drawing& d : drawings)
    if (d.fault) std::rethrow_exception(d.fault);
  for (Drawing& d : drawings) tell(d, logits);
}

// The state first forgets what was guessed wrong; then each token is told as if it had come alone.
void Engine::tell(Drawing& d, const Tensor& logits) {
  Sequence& q = *d.sequence;
  const auto guessed = static_cast<int64_t>(std::exchange(q.guesses, {}).size()),
             right = static_cast<int64_t>(d.drawn.size()) - 1;
  if (guessed > 0) {
    q.state.settle(std::move(d.past), q.state.length - guessed + right);
    q.luck.judged(right, right < guessed);
    q.usage.guessed += guessed, q.usage.accepted += right;
    stats_.guessed += guessed, stats_.accepted += right;
  }
  const int64_t request = sequences_.at(d.id).request;
  const int choice = sequences_.at(d.id).choice;
  for (size_t i = 0; i < d.drawn.size() && sequences_.contains(d.id); ++i) {
    if (on_logits)
      on_logits(request, choice, {logits.row(d.row + static_cast<int64_t>(i)), static_cast<size_t>(logits.cols())});
    advance(d.id, std::move(d.drawn[i]));
  }
  if (guessed == 0 || !sequences_.contains(d.id)) return;
  scheduler_.judged(d.id, q.state.length);
  leave_mark(q);
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
      close(j.id, Finish::failed, {.fault = not_numbers()});
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
  if (!sampled) return close(id, Finish::failed, {.fault = not_numbers()});
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
