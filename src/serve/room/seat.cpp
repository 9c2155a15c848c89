#include "serve/room/seat.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "serve/problem.h"

namespace madang {
namespace {

// Rates are those of the last half minute: long enough to see requests end, short enough to follow the load.
constexpr double fade_seconds = 30;

// Nobody is told to come back sooner, or later: beyond it the rate says little.
constexpr double soonest = 1, latest = 60;

}  // namespace

Seat::Seat(std::shared_ptr<const Checkpoint> checkpoint, const EngineOptions& options, int64_t places)
    : checkpoint_(std::move(checkpoint)), engine_(*checkpoint_, options), places_(places) {}

Pooling Seat::pooling() const { return checkpoint_->pooling().value_or(Pooling::last); }

RoomEngine::Load Seat::load() const {
  std::lock_guard lock(mutex_);
  return load_;
}

void Seat::enter(bool force) {
  std::lock_guard lock(mutex_);
  const int64_t inside = load_.running + load_.waiting + entering_;
  if (inside >= places_ && !force) {
    const double rate = seconds_ > 0 ? ended_ / seconds_ : 0;
    const auto half = static_cast<double>(load_.waiting + entering_) / 2;
    throw Problem(say("too many requests are waiting for this model"), "", "rate_limit_exceeded")
        .status(429)
        .retry_after(rate > 0 ? std::clamp(half / rate, soonest, latest) : latest);
  }
  ++entering_;
}

void Seat::submit(Request request, int64_t queue) {
  const int choices = request.n;
  try {
    const int64_t number = engine_.submit(std::move(request));
    queues_[number] = queue, open_choices_[number] = choices;
  } catch (const Error& fault) {  // whatever check() could not foresee
    for (int choice = 0; choice < choices; ++choice)
      refused_.push_back({queue, {.choice = choice, .finish = Finish::failed, .fault = fault}});
  }
  std::lock_guard lock(mutex_);
  --entering_;
  load_.running = engine_.running(), load_.waiting = engine_.waiting();
}

void Seat::cancel(int64_t queue) {
  const auto found = std::ranges::find(queues_, queue, [](const auto& entry) { return entry.second; });
  if (found != queues_.end()) engine_.cancel(found->first);
}

void Seat::cancel_all() {
  for (const auto& [number, queue] : queues_) engine_.cancel(number);
}

TokenDesk::Delivery Seat::step() {
  TokenDesk::Delivery out = std::exchange(refused_, {});
  int64_t ended = 0;
  for (Event& event : engine_.step()) {
    const auto queue = queues_.find(event.request);
    if (queue == queues_.end()) continue;
    const bool last = event.finish != Finish::none;
    out.emplace_back(queue->second, std::move(event));
    if (!last) continue;
    ++ended;
    if (--open_choices_[queue->first] == 0) open_choices_.erase(queue->first), queues_.erase(queue);
  }
  publish(ended);
  return out;
}

void Seat::publish(int64_t ended) {
  const auto now = std::chrono::steady_clock::now();
  const double passed = std::chrono::duration<double>(now - last_step_).count();
  const double kept = std::exp(-passed / fade_seconds);
  last_step_ = now;
  const EngineStats stats = engine_.stats();
  std::lock_guard lock(mutex_);
  load_ = {engine_.running(), engine_.waiting(), stats, engine_.state_bytes(), stats.cache.bytes};
  ended_ = ended_ * kept + static_cast<double>(ended);
  seconds_ = seconds_ * kept + std::min(passed, fade_seconds);  // the first step comes after all time
}

std::unique_ptr<TokenStream> SeatedEngine::send(Request request, const Client& client, bool force) {
  try {
    seat_->engine().check(request);
  } catch (const Error& fault) {
    if (fault.kind() == Kind::limit) throw Problem(fault.text(), "", "context_length_exceeded");
    throw Problem(fault);
  }
  request.share = {static_cast<int64_t>(std::hash<std::string>()(client.name + '\n' + client.from)), client.priority,
                   client.weight};
  seat_->enter(force);
  auto queue = std::make_unique<TokenQueue>(thread_->desk(), thread_->handlers(), request.n,
                                            [thread = thread_, seat = seat_](int64_t number) {
                                              thread->before_next_step([seat, number] { seat->cancel(number); });
                                            });
  const bool sent =
      thread_->before_next_step([seat = seat_, request = std::move(request), number = queue->number()]() mutable {
        seat->submit(std::move(request), number);
      });
  if (!sent) throw Problem(say("the server is stopping")).status(503);
  return queue;
}

Task<std::unique_ptr<TokenStream>> SeatedEngine::submit(Request request, const Client& client) {
  co_return send(std::move(request), client, false);
}

Task<std::vector<std::vector<float>>> SeatedEngine::embed(std::vector<std::vector<int32_t>> prompts,
                                                          const Client& client) {
  // So many at a time: enough to fill steps with short texts, few beside all the places.
  constexpr size_t at_once = 32;
  Pooling pooling = Pooling::last;
  try {
    pooling = seat_->pooling();
  } catch (const Error& fault) {
    throw Problem(fault);
  }
  std::deque<std::unique_ptr<TokenStream>> under_way;
  std::vector<std::vector<float>> out;
  for (size_t next = 0; out.size() < prompts.size();) {
    for (; next < prompts.size() && under_way.size() < at_once; ++next) {
      Request request{.prompt = std::move(prompts[next])};
      request.pooling = pooling;
      under_way.push_back(send(std::move(request), client, next > 0));
    }
    std::optional<Event> event = co_await under_way.front()->next();
    if (!event || event->embedding.empty())
      throw event && event->fault ? Problem(*event->fault).status(500)
                                  : Problem(say("the server is stopping")).status(503);
    out.push_back(std::move(event->embedding));
    under_way.pop_front();
  }
  co_return out;
}

}  // namespace madang
