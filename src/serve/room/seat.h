// One engine in the room: Seat is what the room's thread has of it, SeatedEngine what the handlers have.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "engine/checkpoint.h"
#include "serve/room/room_thread.h"

namespace madang {

class Seat {
 public:
  /// `places`: requests that may run or wait.
  Seat(std::shared_ptr<const Checkpoint> checkpoint, const EngineOptions& options, int64_t places);

  // Any thread.
  const Engine& engine() const { return engine_; }  ///< only what never changes: check(), context()
  Pooling pooling() const;                          ///< of the model, or of decoders. Throws Error
  RoomEngine::Load load() const;
  /// Takes a place, or throws Problem (429) with the time in which half of those that wait will have gone. `force`:
  /// takes it in any case.
  void enter(bool force);

  // The room's thread.
  void submit(Request request, int64_t queue);
  void cancel(int64_t queue);
  void cancel_all();
  bool busy() const { return engine_.busy() || !refused_.empty(); }
  TokenDesk::Delivery step();

 private:
  void publish(int64_t ended);

  std::shared_ptr<const Checkpoint> checkpoint_;
  Engine engine_;
  int64_t places_;
  std::map<int64_t, int64_t> queues_;        ///< by the engine's number of the request
  std::map<int64_t, int64_t> open_choices_;  ///< the same
  TokenDesk::Delivery refused_;
  std::chrono::steady_clock::time_point last_step_{};

  mutable std::mutex mutex_;
  RoomEngine::Load load_;
  int64_t entering_ = 0;            ///< have a place and are not in load_ yet
  double ended_ = 0, seconds_ = 0;  ///< sequences, and the time they took: faded sums
};

class SeatedEngine : public RoomEngine {
 public:
  SeatedEngine(std::shared_ptr<RoomThread> thread, std::shared_ptr<Seat> seat)
      : thread_(std::move(thread)), seat_(std::move(seat)) {}
  ~SeatedEngine() override { thread_->remove(seat_); }

  Task<std::unique_ptr<TokenStream>> submit(Request request, const Client& client) override;
  Task<std::vector<std::vector<float>>> embed(std::vector<std::vector<int32_t>> prompts, const Client& client) override;
  int64_t context() const override { return seat_->engine().context(); }
  Load load() const override { return seat_->load(); }

 private:
  std::unique_ptr<TokenStream> send(Request request, const Client& client, bool force);

  std::shared_ptr<RoomThread> thread_;
  std::shared_ptr<Seat> seat_;
};

}  // namespace madang
