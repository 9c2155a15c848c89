// One answer in the making: its tokens, its state, its sampler, its unfinished text. Copying what a Sequence is made
// of is all that fork, mark and restore are.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/guesser.h"
#include "engine/pooling.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/stop.h"
#include "nn/state.h"
#include "text/text_stream.h"

namespace madang {

enum class Finish {
  none,     ///< goes on
  end,      ///< a token that ends the answer
  stop,     ///< a stop text
  length,   ///< max_tokens
  context,  ///< the context is full
  cancelled,
  failed,  ///< with a reason
};
const char* name_of(Finish finish);  ///< "end", "stop", "length", ...

struct Usage {
  int64_t prompt = 0;                 ///< tokens
  int64_t reused = 0;                 ///< of these, from the cache
  int64_t answer = 0;                 ///< tokens, the end token included
  int64_t guessed = 0, accepted = 0;  ///< guesses that were read beside them, and of these the right ones
};

struct Sequence {
  std::shared_ptr<const void> home;  ///< the engine it belongs to
  std::vector<int32_t> tokens;       ///< prompt and answer
  SequenceState state;               ///< of the first state.length tokens; no layers while it waits
  Sampler sampler;
  std::optional<TextStream> stream;  ///< with a tokenizer
  StopFilter stop;
  std::vector<int32_t> ends;
  int64_t max_tokens = 0;      ///< 0: no bound
  std::vector<int64_t> marks;  ///< lengths at which the state is kept
  bool reuse = true;
  Share share;
  std::optional<Pool> pool;     ///< takes the place of an answer
  std::optional<int> scoring;   ///< until told: the prompt is scored, with so many of the likeliest
  std::vector<Sampled> scores;  ///< of the prompt's first tokens, as far as they are known
  bool answers = true;          ///< false: its end is that of the prompt
  Usage usage;
  Luck luck;
  std::vector<int32_t> guesses;  ///< to be read behind the last token; no part of a fork

  bool unscored() const { return scoring && static_cast<int64_t>(scores.size()) < usage.prompt; }
  Sequence fork() const;
  /// The text that `token` completes and that no stop text can still claim; sets stop.found().
  std::string push(int32_t token);
  /// What was held back, when the answer ends otherwise.
  std::string flush();
};

/// Where a sequence stood. Never changes.
using Mark = std::shared_ptr<const Sequence>;

}  // namespace madang
