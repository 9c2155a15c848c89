#include "engine/engine.h"

#include <algorithm>
#include <limits>

#include "base/random.h"

namespace madang {
namespace {

// A context nobody set and nothing bounds (recurrent models): positions are int32 on the way to kernels.
constexpr int64_t unbounded = std::numeric_limits<int32_t>::max();

constexpr int most_choices = 128;

// A sequence waits for another's computation of their common beginning if that spares it at least a page: less is
// computed as soon as it is waited for.
constexpr int64_t worth_waiting = kv_block;

// A token that is scored goes through the output head too, a few rows at a time: measured, 4 times an ordinary one
// where the vocabulary is the most of a model (Gemma 3 270M), less elsewhere.
constexpr int64_t scored_cost = 4;

// Prompts whose scores are kept, in tokens: with 5 of the likeliest each some 10 MB.
constexpr int64_t scored_tokens = 1 << 16;

// Of their beginnings; at most all but the last token of `mine`, whose logits are wanted.
int64_t common(std::span<const int32_t> other, std::span<const int32_t> mine) {
  return std::ranges::mismatch(other, mine.first(mine.size() - 1)).in1 - other.begin();
}

int64_t in_pages(int64_t tokens) { return (tokens + kv_block - 1) / kv_block * kv_block; }

// What a sequence of so many tokens holds at most, in whole pages; a window keeps its pages through a chunk.
int64_t bytes_of(std::span<const StateSpec> specs, KvType type, int64_t chunk, int64_t tokens) {
  int64_t sum = 0;
  for (const StateSpec& spec : specs) {
    if (spec.kind == StateKind::paged || spec.kind == StateKind::latent)
      sum += spec.bytes_per_token(type) * in_pages(tokens);
    else if (spec.kind == StateKind::rolling)
      sum += spec.bytes_per_token(type) * in_pages(std::min(tokens, spec.window + chunk + kv_block));
    else
      sum += spec.bytes_at(type, tokens);
  }
  return sum;
}

// As asked, or as the model was made for; and never more than fits in the memory for states: a sequence that fills
// it ends because its context is full.
int64_t context_of(const EngineOptions& options, int64_t max_positions, std::span<const StateSpec> specs) {
  if (options.context < 0 || options.context > unbounded)
    throw Error(Kind::usage, say("{} is outside its range", "context"))
        .expected(fmt::format("0 to {}", unbounded))
        .found(std::to_string(options.context));
  int64_t context = options.context > 0 ? options.context
                    : max_positions > 0 ? std::min(max_positions, unbounded)
                                        : unbounded;
  const int64_t memory = options.schedule.memory;
  if (memory <= 0) return context;
  auto fits = [&](int64_t tokens) { return bytes_of(specs, options.kv, options.schedule.chunk, tokens) <= memory; };
  if (fits(context)) return context;
  int64_t low = 0;  // low fits, context does not
  while (context - low > 1) (fits((low + context) / 2) ? low : context) = (low + context) / 2;
  if (low < 2)
    throw Error(Kind::limit, say("the state of {} tokens does not fit in the memory for states", 2))
        .expected(fmt::format("<= {} B", memory))
        .found(fmt::format("{} B", bytes_of(specs, options.kv, options.schedule.chunk, 2)));
  return low;
}

std::vector<StateSpec> with(std::vector<StateSpec> specs, const std::shared_ptr<Guesser>& guesser) {
  if (guesser) specs.insert(specs.end(), guesser->states().begin(), guesser->states().end());
  return specs;
}

bool can_forget(std::span<const StateSpec> specs) {
  return std::ranges::all_of(specs, [](const StateSpec& s) {
    return s.kind == StateKind::none || s.kind == StateKind::paged || s.kind == StateKind::latent;
  });
}

[[noreturn]] void refuse(const char* field, std::string range, int64_t found) {
  throw Error(Kind::usage, say("{} is outside its range", field))
      .expected(std::move(range))
      .found(std::to_string(found));
}

}  // namespace

uint64_t choice_seed(uint64_t seed, int choice) {
  return choice == 0 ? seed : Random(~seed, static_cast<uint64_t>(choice)).bits();
}

Engine::Engine(const Model& model, std::shared_ptr<const Tokenizer> tokenizer, int64_t max_positions,
               const EngineOptions& options)
    : model_(model),
      tokenizer_(std::move(tokenizer)),
      options_(options),
      specs_(model.states()),
      held_(with(specs_, options.guesser)),
      context_(context_of(options, max_positions, held_)),
      // Positions that an answer never comes to are none that a guess may fail at.
      guess_until_(max_positions > 0 ? std::min(context_, max_positions) : context_),
      work_(options.work),
      cache_(std::max<int64_t>(0, options.cache_bytes)),
      scores_(options.cache_bytes > 0 ? scored_tokens : 0),
      scheduler_(
          options.schedule,
          [this](int64_t tokens) { return bytes_of(held_, options_.kv, options_.schedule.chunk, tokens); },
          [this](Id id) { return begin(id); }) {}

Engine::Engine(const Checkpoint& checkpoint, const EngineOptions& options)
    : Engine(checkpoint.model(), checkpoint.tokenizer(), checkpoint.max_positions(), options) {
  if (work_.compute() == Compute::fast) checkpoint.pack(work_.pool());
}

void Engine::check(const Request& request) const {
  const auto length = static_cast<int64_t>(request.prompt.size());
  if (length == 0) throw Error(Kind::usage, say("the prompt has no tokens"));
  for (int32_t id : request.prompt)
    if (id < 0 || id >= model_.vocabulary())
      throw Error(Kind::mismatch, say("token id {} lies outside the vocabulary", id))
          .expected(fmt::format("0 to {}", model_.vocabulary() - 1));
  const bool answers = request.answer && !request.pooling;
  if (length + answers > context_)  // one token of the answer at least
    throw Error(Kind::limit, say("a prompt of {} tokens does not fit in a context of {}", length, context_))
        .hint(say("a shorter prompt, or a larger --ctx"));
  request.sampler.check(model_.vocabulary());
  if (request.max_tokens < 0) refuse("max_tokens", ">= 0", request.max_tokens);
  if (request.n < 1 || request.n > most_choices) refuse("n", fmt::format("1 to {}", most_choices), request.n);
  if (const int top = request.prompt_logprobs.value_or(0); top < 0 || top > 20)
    refuse("prompt_logprobs", "0 to 20", top);
  if ((request.prompt_logprobs && request.pooling) || (!request.answer && !request.prompt_logprobs))
    throw Error(Kind::usage, say("nothing to compute is asked for, or two things at once"));
  for (int64_t mark : request.marks)
    if (mark < 1 || mark > length) refuse("marks", fmt::format("1 to {}", length), mark);
  StopFilter{request.stops};
  if (!request.stops.empty() && !tokenizer_) throw Error(Kind::usage, say("stop texts need a model with a tokenizer"));
}

int64_t Engine::submit(Request request) {
  check(request);
  Sampler sampler(std::move(request.sampler), request.prompt);
  Sequence sequence{.home = home_,
                    .tokens = std::move(request.prompt),
                    .state = {},
                    .sampler = std::move(sampler),
                    .stream = {},
                    .stop = StopFilter(std::move(request.stops)),
                    .ends = std::move(request.ends),
                    .max_tokens = request.max_tokens,
                    .marks = {},
                    .reuse = request.reuse && options_.cache_bytes > 0 && !request.pooling,
                    .share = request.share,
                    .pool = {},
                    .scoring = request.prompt_logprobs,
                    .scores = {},
                    .answers = request.answer,
                    .usage = {.prompt = 0},
                    .luck = {},
                    .guesses = {}};
  sequence.usage.prompt = static_cast<int64_t>(sequence.tokens.size());
  if (request.pooling) sequence.pool.emplace(*request.pooling);
  if (sequence.scoring) {
    sequence.scores.push_back({.id = sequence.tokens[0], .top = {}});
    sequence.share.cost = scored_cost;
  }
  if (tokenizer_) sequence.stream.emplace(tokenizer_, request.silent);
  if (sequence.reuse && !can_forget(specs_)) {
    // The last token of the prompt is computed by itself: the same prompt again then begins right before it.
    sequence.marks = std::move(request.marks);
    sequence.marks.push_back(sequence.usage.prompt - 1);
    sequence.marks.push_back(sequence.usage.prompt);
    std::ranges::sort(sequence.marks);
  }
  const int64_t number = next_request_++;
  add(number, 0, request.n - 1, std::move(sequence));
  return number;
}

Engine::Id Engine::add(int64_t request, int choice, int copies, Sequence sequence) {
  const Id id = next_id_++;
  const auto known = static_cast<int64_t>(sequence.tokens.size());
  if (sequence.state.layers.empty())
    scheduler_.add(id, known, std::min(known + 1, context_), sequence.share, sequence.marks);
  else
    scheduler_.add_running(id, known, sequence.state.length, sequence.share, sequence.marks);
  sequences_.emplace(id, Slot{request, choice, copies, std::move(sequence)});
  return id;
}

// All but the last token, whose logits are wanted; of a prompt that is to be scored, what is scored already.
std::span<const int32_t> Engine::skippable(Sequence& q) {
  if (!q.unscored()) return q.tokens;
  const auto prompt = std::span(q.tokens).first(static_cast<size_t>(q.usage.prompt));
  auto learn = [&](std::span<const Sampled> known) {
    if (known.size() > q.scores.size()) q.scores.assign(known.begin(), known.end());
  };
  learn(scores_.find(prompt, *q.scoring));
  for (const auto& [id, slot] : sequences_) {
    const Sequence& other = slot.sequence;
    if (!other.reuse || other.scoring != q.scoring) continue;
    const auto shared = static_cast<size_t>(std::ranges::mismatch(other.tokens, prompt).in2 - prompt.begin());
    learn(std::span(other.scores).first(std::min(shared, other.scores.size())));
  }
  return prompt.first(q.scores.size());
}

std::optional<SequenceState> Engine::inherited(std::span<const int32_t> tokens) {
  std::optional<SequenceState> best = cache_.find(tokens, context_);
  for (const auto& [id, slot] : sequences_) {
    const SequenceState& state = slot.sequence.state;
    if (!slot.sequence.reuse || state.layers.empty()) continue;
    const int64_t shared = std::min(common(slot.sequence.tokens, tokens), state.length);
    if (shared > (best ? best->length : 0))
      if (SequenceState copy = state.fork(); copy.truncate(shared)) best = std::move(copy);
  }
  return best;
}

Scheduler::Start Engine::leader(Id id, int64_t have) {
  const Sequence& q = sequences_.at(id).sequence;
  Scheduler::Start best{.until = have + worth_waiting - 1};
  for (const auto& [other, slot] : sequences_) {
    if (other == id || !slot.sequence.reuse || slot.sequence.state.layers.empty()) continue;
    if (q.unscored() && slot.sequence.scoring != q.scoring) continue;
    // The score of where they part is each one's own.
    const int64_t shared = common(slot.sequence.tokens, q.tokens) - q.unscored();
    if (shared > best.until && shared > slot.sequence.state.length) best.behind = other, best.until = shared;
  }
  if (best.behind && !can_forget(specs_)) {  // such a state serves only where the common part ends
    std::vector<int64_t>& marks = sequences_.at(best.behind).sequence.marks;
    const auto place = std::ranges::lower_bound(marks, best.until);
    if (place == marks.end() || *place != best.until) marks.insert(place, best.until);
    scheduler_.cut(best.behind, best.until);
  }
  return best;
}

Scheduler::Start Engine::begin(Id id) {
  Sequence& q = sequences_.at(id).sequence;
  std::optional<SequenceState> found;
  if (q.reuse) {
    found = inherited(skippable(q));
    if (const Scheduler::Start later = leader(id, found ? found->length : 0); later.behind) return later;
    cache_.count(found ? found->length : 0);
  }
  q.state = found ? std::move(*found) : SequenceState(specs_, options_.kv, context_);
  if (q.usage.answer == 0) q.usage.reused = q.state.length;
  return {.computed = q.state.length};
}

void Engine::cancel(int64_t request) {
  std::vector<Id> gone;
  for (const auto& [id, slot] : sequences_)
    if (slot.request == request) gone.push_back(id);
  for (Id id : gone) close(id, Finish::cancelled, {});
}

std::vector<Event> Engine::step() {
  auto fail = [this](Id id, const char* what) {
    close(id, Finish::failed, {.fault = Error(Kind::internal, say("the step failed: {}", what))});
  };
  guess();
  Scheduler::Plan plan;
  try {
    plan = scheduler_.plan();
  } catch (const std::exception& fault) {  // no memory for the states of those that wait
    std::vector<Id> waiting;
    for (const auto& [id, slot] : sequences_)
      if (!scheduler_.running(id)) waiting.push_back(id);
    for (Id id : waiting) fail(id, fault.what());
  }
  for (Id id : plan.preempted) put_back(id);
  for (const Scheduler::Piece& piece : plan.pieces)
    stats_.prompt_tokens +=
        std::clamp<int64_t>(sequences_.at(piece.id).sequence.usage.prompt - piece.begin, 0, piece.count);
  std::vector<Scheduler::Piece> answers, scored, texts;
  for (const Scheduler::Piece& piece : plan.pieces) {
    const Sequence& q = sequences_.at(piece.id).sequence;
    (q.pool ? texts : q.unscored() ? scored : answers).push_back(piece);
  }
  auto guarded = [&](std::span<const Scheduler::Piece> pieces, auto&& work) {
    if (pieces.empty()) return;
    try {
      work(pieces), ++stats_.steps;
    } catch (const std::exception& fault) {  // none of the states that were in this step can be trusted
      for (const Scheduler::Piece& piece : pieces)
        if (sequences_.contains(piece.id)) fail(piece.id, fault.what());
    }
  };
  guarded(answers, [this](auto pieces) { run(pieces, Step::Want::last); });
  guarded(scored, [this](auto pieces) { score(pieces); });
  guarded(texts, [this](auto pieces) { read(pieces); });
  return std::exchange(pending_, {});
}

void Engine::put_back(Id id) {
  Sequence& q = sequences_.at(id).sequence;
  if (q.reuse) cache_.keep(q.tokens, std::move(q.state));
  q.state = {}, q.guesses.clear();
  if (options_.guesser) options_.guesser->forget(id);
  ++stats_.preemptions;
}

void Engine::close(Id id, Finish finish, Event event) {
  Slot& slot = sequences_.at(id);
  Sequence& q = slot.sequence;
  event.text += q.flush();
  if (q.stop.found() && finish != Finish::failed && finish != Finish::cancelled) finish = Finish::stop;
  if (finish == Finish::stop) event.stop = q.stop.text();
  event.request = slot.request, event.choice = slot.choice, event.finish = finish, event.usage = q.usage;
  for (int copy = 0; copy <= slot.copies; ++copy) {  // choices that never began end with the first
    pending_.push_back(event);
    event.choice = slot.choice + copy + 1;
  }
  const auto known = static_cast<int64_t>(q.tokens.size());
  // A stop text may have ended it before guesses that were right, and read.
  const bool whole = q.state.length <= known || q.state.truncate(known);
  if (q.reuse && finish != Finish::failed && !q.state.layers.empty() && whole)
    cache_.keep(q.tokens, std::move(q.state));
  if (options_.guesser) options_.guesser->forget(id);
  scheduler_.remove(id);
  sequences_.erase(id);
}

Engine::Id Engine::find(int64_t request, int choice) const {
  for (const auto& [id, slot] : sequences_)
    if (slot.request == request && slot.choice == choice) return id;
  throw Error(Kind::missing, say("choice {} of request {} is not running", choice, request));
}

Mark Engine::mark(int64_t request, int choice) const {
  return std::make_shared<const Sequence>(sequences_.at(find(request, choice)).sequence.fork());
}

void Engine::check(const Mark& mark) const {
  if (!mark || mark->home != home_) throw Error(Kind::usage, say("the mark belongs to another engine"));
}

void Engine::restore(int64_t request, int choice, const Mark& mark) {
  check(mark);
  const Id id = find(request, choice);
  Sequence& q = sequences_.at(id).sequence;
  q = mark->fork();
  const auto known = static_cast<int64_t>(q.tokens.size());
  if (!q.state.layers.empty()) return scheduler_.rewind(id, known, q.state.length);
  scheduler_.remove(id);  // marked while it waited: it waits again
  scheduler_.add(id, known, std::min(known + 1, context_), q.share, q.marks);
}

int64_t Engine::resume(const Mark& mark, std::optional<uint64_t> seed) {
  check(mark);
  Sequence copy = mark->fork();
  if (seed) copy.sampler.reseed(*seed);
  const int64_t number = next_request_++;
  add(number, 0, 0, std::move(copy));
  return number;
}

const EngineStats& Engine::stats() {
  stats_.cache = cache_.stats();
  return stats_;
}

std::string generate(Engine& engine, Request request, const std::function<bool(const Event&)>& on_event) {
  int open = request.n;
  const int64_t number = engine.submit(std::move(request));
  std::string text;
  while (open > 0)
    for (const Event& event : engine.step()) {
      if (on_event && !on_event(event)) engine.cancel(number);
      if (event.request != number) continue;
      if (event.finish == Finish::failed) throw *event.fault;
      if (event.choice == 0) text += event.text;
      if (event.finish != Finish::none) --open;
    }
  return text;
}

}  // namespace madang
