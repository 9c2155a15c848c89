// The engine: requests in, tokens out. It owns threads, working memory and states; each step asks the scheduler who
// computes what, runs the model once over all of them, samples, and tells what happened as events.
//
//   Engine engine(checkpoint, {.threads = 2});
//   engine.submit({.prompt = ids, .max_tokens = 100, .ends = checkpoint.defaults().ends});
//   while (engine.busy())
//     for (const Event& e : engine.step()) std::cout << e.text;
//
// A sequence's logits are the same bits whatever runs beside it, however its prompt is cut, whether its beginning
// came from the cache, after fork, restore or preemption, however much of it was guessed. submit() throws Error; step()
// never throws: what goes wrong with one sequence ends that sequence, with Finish::failed and a fault. Not thread
// safe: one thread submits and steps. Refused: token ids outside the vocabulary, prompts that do not fit.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/checkpoint.h"
#include "engine/guesser.h"
#include "engine/prefix_cache.h"
#include "engine/prompt_scores.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/workplace.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace madang {

struct EngineOptions {
  WorkOptions work;  ///< threads, exact or fast, kernels
  KvType kv = KvType::f32;
  int64_t context = 0;  ///< tokens a sequence may have, prompt and answer; 0: what the model was made for
  SchedulerOptions schedule;
  int64_t cache_bytes = int64_t{256} << 20;  ///< states of finished sequences kept for reuse; 0: none
  std::shared_ptr<Guesser> guesser;          ///< of this engine alone; null: nothing is guessed
  int64_t guesses = 16;                      ///< read in a step for one sequence, at most
  /// Told once, within step(), if the guesser has failed: guessing is given up, answers go on. Must not throw.
  std::function<void(const Text& what)> on_guessing_lost;
};

struct Request {
  std::vector<int32_t> prompt;  ///< at least one token
  SamplerOptions sampler;
  int64_t max_tokens = 0;          ///< of the answer; 0: until something else ends it
  std::vector<int32_t> ends;       ///< tokens that end the answer; their text is not part of it
  SilentTokens silent;             ///< tokens whose text is not part of the answer (chat/families.h); null: none
  std::vector<std::string> stops;  ///< texts that end the answer; no byte of them is shown (needs a tokenizer)
  int n = 1;                       ///< answers to one prompt, choice i with seed choice_seed(seed, i)
  bool reuse = true;               ///< begin with a cached prefix, and leave one behind
  /// Lengths of the prompt at which its state is kept for reuse (the end of a system prompt). Of use to models that
  /// cannot forget: recurrent ones, sliding windows. Its end is always kept for those.
  std::vector<int64_t> marks;
  /// Who shares with whom when there is more to compute than a step holds (engine/scheduler.h).
  Share share;
  /// No answer, but the hidden states pooled to one vector: one event with Event::embedding. Sampling means nothing.
  std::optional<Pooling> pooling;
  /// Log probabilities of the prompt's own tokens, and of so many of the likeliest in their places (0 to 20): one event
  /// of choice 0 with Event::prompt_scores before those of its answer. What was scored before is not computed again.
  std::optional<int> prompt_logprobs;
  bool answer = true;  ///< false, with prompt_logprobs: each choice ends with the prompt (Finish::length)
};

/// Choice 0 has the request's own seed, the others seeds derived from it.
uint64_t choice_seed(uint64_t seed, int choice);

struct Event {
  int64_t request = 0;
  int choice = 0;
  int32_t token = -1;                  ///< -1: none (cancelled, failed)
  std::string text;                    ///< what this token completes, often nothing
  std::optional<Sampled> logprobs;     ///< if asked for
  std::vector<Sampled> prompt_scores;  ///< of each token of the prompt; that of the first says nothing but its id
  std::vector<float> embedding;        ///< [width], not normalized; of a request with pooling, its only event
  Finish finish = Finish::none;        ///< else this is the choice's last event
  std::optional<Error> fault;          ///< of Finish::failed
  std::string stop;                    ///< of Finish::stop: the stop text that was found
  Usage usage;                         ///< so far
};

struct EngineStats {
  int64_t steps = 0, prompt_tokens = 0, answer_tokens = 0;  ///< prompt: computed, without reused ones
  int64_t preemptions = 0;
  int64_t guessed = 0, accepted = 0;  ///< as in Usage
  bool guessing_lost = false;         ///< the guesser has failed
  CacheStats cache;
};

class Engine {
 public:
  /// `max_positions`: what the model was made for, 0 if it has no bound. A context beyond it is allowed: some models
  /// stretch. Both must outlive the engine. `tokenizer` may be null: events then carry no text.
  Engine(const Model& model, std::shared_ptr<const Tokenizer> tokenizer, int64_t max_positions,
         const EngineOptions& options = {});
  explicit Engine(const Checkpoint& checkpoint, const EngineOptions& options = {});
  Engine(const Engine&) = delete;  // the scheduler calls back
  Engine& operator=(const Engine&) = delete;

  /// The request's number. Throws Error: usage (bad options), mismatch (token id), limit (both numbers).
  int64_t submit(Request request);
  /// What submit() would refuse. Looks only at what never changes: any thread may ask, at any time.
  void check(const Request& request) const;
  /// All of its choices end with Finish::cancelled in the next step's events. Unknown or finished: nothing happens.
  void cancel(int64_t request);
  bool busy() const { return !sequences_.empty() || !pending_.empty(); }
  std::vector<Event> step();

  /// Where a running choice stands, whole: tokens, state, draws, unfinished text. Cheap (pages are shared) and valid
  /// for as long as it is kept. Throws Kind::missing if it is not running any more.
  Mark mark(int64_t request, int choice = 0) const;
  /// The choice goes on from the mark, as if nothing had come since; text already told is not taken back.
  void restore(int64_t request, int choice, const Mark& mark);
  /// A new request that goes on from the mark, also after its origin has ended.
  int64_t resume(const Mark& mark, std::optional<uint64_t> seed = {});
  int64_t fork(int64_t request, int choice = 0, std::optional<uint64_t> seed = {}) {
    return resume(mark(request, choice), seed);
  }

  int64_t context() const { return context_; }
  int64_t running() const { return static_cast<int64_t>(scheduler_.size() - scheduler_.waiting()); }  ///< sequences
  int64_t waiting() const { return static_cast<int64_t>(scheduler_.waiting()); }
  int64_t state_bytes() const { return scheduler_.memory(); }
  const EngineStats& stats();
  void clear_cache() { cache_.clear(); }

  /// Sees every row of logits that is sampled from: request, choice, [V]. For tests and measurements.
  std::function<void(int64_t request, int choice, std::span<const float> logits)> on_logits;

 private:
  struct Slot {
    int64_t request;
    int choice;
    int copies;  ///< choices to be forked off when the prompt is computed
    Sequence sequence;
  };
  using Id = Scheduler::Id;
  struct Drawing;

  void check(const Mark& mark) const;
  Id add(int64_t request, int choice, int copies, Sequence sequence);
  Id find(int64_t request, int choice) const;
  Scheduler::Start begin(Id id);  ///< gives the sequence its state, unless it does better to wait
  /// The beginning of a sequence that another's state may stand for, and one token more.
  std::span<const int32_t> skippable(Sequence& q);
  std::optional<SequenceState> inherited(std::span<const int32_t> tokens);  ///< the longest, cached or running
  Scheduler::Start leader(Id id, int64_t have);  ///< whom to wait for, if it will soon hold more of this beginning
  void put_back(Id id);
  void guess();
  void give_up_guessing(const char* fault);
  void run(std::span<const Scheduler::Piece> pieces, Step::Want want);
  void score(std::span<const Scheduler::Piece> pieces);
  void judge(std::span<const Scheduler::Piece> pieces, const Tensor& logits);
  bool tell_scores(Id id);
  void read(std::span<const Scheduler::Piece> pieces);
  void leave_mark(const Sequence& q);
  void sample(std::span<Drawing> drawings, const Tensor& logits);
  void tell(Drawing& drawing, const Tensor& logits);
  void advance(Id id, std::optional<Sampled> sampled);
  void close(Id id, Finish finish, Event event);

  const Model& model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  EngineOptions options_;
  std::vector<StateSpec> specs_, held_;    ///< of the model; with what its guesser holds
  int64_t context_ = 0, guess_until_ = 0;  ///< length of a sequence; beyond the second nothing is guessed
  Workplace work_;
  PrefixCache cache_;
  PromptScores scores_;
  Scheduler scheduler_;
  std::map<Id, Slot> sequences_;
  std::vector<Event> pending_;  ///< told by the next step
  EngineStats stats_;
  std::shared_ptr<const void> home_ = std::make_shared<char>();  ///< whose marks are ours
  int64_t next_request_ = 1;
  Id next_id_ = 1;
};

/// Submits, and steps until this request has ended; returns the text of choice 0. `on_event` sees the events of all
/// requests that run beside it; returning false cancels this one. Throws Kind::internal if it failed.
std::string generate(Engine& engine, Request request, const std::function<bool(const Event&)>& on_event = {});

}  // namespace madang
