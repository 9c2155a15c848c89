// The engine room: one thread that steps the engines of all loaded models in turn, and hands their tokens to the
// coroutines that wait for them. Engines are not thread safe and never see another thread.
// Refuses: what Engine::submit refuses, as Problem; more waiting requests than the bound (429).
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "serve/http/exchange.h"

namespace madang {

/// The tokens of one request, all its choices, in the order they came. Letting go of it cancels what still runs, within
/// one step.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  /// Nothing once every choice has ended. Events that have come in the meantime are all there is waiting for: call it
  /// again without suspension to write several tokens in one piece.
  virtual Task<std::optional<Event>> next() = 0;
  virtual bool ready() const = 0;  ///< next() would not wait
  virtual void cancel() = 0;       ///< the remaining choices end with Finish::cancelled
};

/// One loaded model's engine, as the handlers know it.
class RoomEngine {
 public:
  virtual ~RoomEngine() = default;
  /// Queues the request (fair among clients; client.priority before that). Throws Problem.
  virtual Task<std::unique_ptr<TokenStream>> submit(Request request, const Client& client) = 0;
  /// Pooled hidden states of each prompt, [prompts][dim], not normalized; between the steps of chats, prompt by prompt.
  virtual Task<std::vector<std::vector<float>>> embed(std::vector<std::vector<int32_t>> prompts,
                                                      const Client& client) = 0;
  virtual int64_t context() const = 0;

  struct Load {
    int64_t running = 0, waiting = 0;  ///< sequences
    EngineStats stats;
    int64_t state_bytes = 0, cache_bytes = 0;
  };
  virtual Load load() const = 0;  ///< as of the last step
};

}  // namespace madang
