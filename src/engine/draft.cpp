#include "engine/draft.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "engine/parameters.h"

namespace madang {
namespace {

// Tokens of prompts that a step waits for: as many as the scheduler gives those of the model itself.
constexpr size_t chunk = 256;

void check_same_ids(const Checkpoint& draft, const Checkpoint& model) {
  const auto a = model.tokenizer(), b = draft.tokenizer();
  const Text other = say("the draft model's vocabulary is not the model's");
  const Text hint = say("a smaller model of the same family");
  if (!a || !b) {
    if (model.model().vocabulary() == draft.model().vocabulary()) return;
    throw Error(Kind::mismatch, other)
        .at(draft.path())
        .expected(std::to_string(model.model().vocabulary()))
        .found(std::to_string(draft.model().vocabulary()))
        .hint(hint);
  }
  for (int32_t id = 0; id < std::min(a->size(), b->size()); ++id)
    if (a->token_text(id) != b->token_text(id))
      throw Error(Kind::mismatch, other)
          .at(draft.path())
          .expected(fmt::format("{}: \"{}\"", id, a->token_text(id)))
          .found(fmt::format("{}: \"{}\"", id, b->token_text(id)))
          .hint(hint);
}

double bytes_a_token(const Checkpoint& c) {
  return static_cast<double>(count_parameters(c.source(), c.config()).bytes_a_token);
}

}  // namespace

Draft::Draft(std::shared_ptr<const Checkpoint> draft, const Checkpoint& model, const EngineOptions& options)
    : draft_(std::move(draft)),
      specs_(draft_->model().states()),
      kv_(options.kv),
      vocabulary_(model.model().vocabulary()),
      limit_(draft_->max_positions() > 0 ? draft_->max_positions() : std::numeric_limits<int32_t>::max()),
      cost_(bytes_a_token(*draft_) / bytes_a_token(model)),
      cache_(options.cache_bytes / 8) {
  check_same_ids(*draft_, model);
}

// One sequence that is being guessed on.
struct Draft::Run {
  Guess* guess;
  Memory* memory;
  Sampler sampler;
  Past past;  ///< at the last token that is known
  int64_t row = 0;

  bool goes_on() const {
    const std::vector<int32_t>& guessed = guess->guessed;
    return row >= 0 && static_cast<int64_t>(guessed.size()) < guess->most &&
           (guessed.empty() || std::ranges::find(guess->ends, guessed.back()) == guess->ends.end());
  }
};

// What it remembers of the sequence: tokens that the sequence has, and at least its last one not.
Draft::Memory& Draft::recall(const Guess& g) {
  const auto [at, fresh] = memories_.try_emplace(g.sequence);
  Memory& m = at->second;
  if (fresh)
    if (auto found = cache_.find(g.tokens, limit_)) {
      m.state = std::move(*found);
      m.read.assign(g.tokens.begin(), g.tokens.begin() + m.state.length);
    }
  const auto common = std::ranges::mismatch(m.read, g.tokens.first(g.tokens.size() - 1)).in1 - m.read.begin();
  if (m.state.layers.empty() || (common < m.state.length && !m.state.truncate(common))) {
    m.state = SequenceState(specs_, kv_, limit_);
    m.read.clear();
  }
  m.read.resize(static_cast<size_t>(m.state.length));
  return m;
}

bool Draft::readable(std::span<const int32_t> tokens) const {
  return std::ranges::all_of(tokens, [&](int32_t id) { return id < draft_->model().vocabulary(); });
}

// Reads what it lacks of the sequences, a chunk at most, and returns those it has read whole; with the logits of their
// last tokens.
std::vector<Draft::Run> Draft::read(Workplace& work, std::span<Guess> all, Tensor& logits) {
  Step step;
  std::vector<Run> runs;
  size_t left = chunk;
  for (Guess& g : all) {
    if (left == 0 || g.most <= 0 || static_cast<int64_t>(g.tokens.size()) + g.most > limit_) continue;
    Memory& m = recall(g);
    const auto lacking = g.tokens.subspan(m.read.size());
    const auto now = lacking.first(std::min(lacking.size(), left));
    if (!readable(now)) continue;
    const bool whole = now.size() == lacking.size();
    step.add(now, &m.state, whole ? Step::Want::last : Step::Want::none);
    m.read.insert(m.read.end(), now.begin(), now.end());
    left -= now.size();
    if (whole) runs.push_back({&g, &m, *g.sampler, {}, static_cast<int64_t>(runs.size())});
  }
  if (!step.ids.empty()) logits = work.forward(draft_->model(), step);
  return runs;
}

void Draft::guess(Workplace& work, std::span<Guess> all) try {
  Tensor logits;
  std::vector<Run> runs = read(work, all, logits);
  for (Run& run : runs) run.past = run.memory->state.begin_tentative();
  // The model's sampler knows the model's ids; those that the draft lacks are never guessed.
  std::vector<float> row(static_cast<size_t>(vocabulary_), -std::numeric_limits<float>::infinity());
  for (;;) {
    Step step;
    for (Run& run : runs) {
      if (!run.goes_on()) continue;
      std::copy_n(logits.row(run.row), std::min(vocabulary_, logits.cols()), row.begin());
      run.row = -1;
      const std::optional<int32_t> id = run.sampler.pick(row);
      if (!id) continue;
      run.guess->guessed.push_back(*id);
      if (!readable(std::span(&*id, 1))) continue;
      run.row = static_cast<int64_t>(step.segments.size());
      if (run.goes_on()) step.add(std::span(&*id, 1), &run.memory->state, Step::Want::last);
    }
    if (step.ids.empty()) break;
    logits = work.forward(draft_->model(), step);
  }
  for (Run& run : runs) run.memory->state.settle(std::move(run.past), static_cast<int64_t>(run.memory->read.size()));
} catch (...) {  // no state that was in a step can be trusted
  memories_.clear();
  throw;
}

void Draft::forget(int64_t sequence) {
  const auto at = memories_.find(sequence);
  if (at == memories_.end()) return;
  cache_.keep(at->second.read, std::move(at->second.state));
  memories_.erase(at);
}

}  // namespace madang
