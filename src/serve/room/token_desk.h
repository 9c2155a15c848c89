// Where handlers wait for their tokens. Lives on the handlers' thread alone: events come in by post.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "serve/room/room.h"

namespace madang {

class TokenQueue;

/// The queues that are open, by number.
class TokenDesk {
 public:
  using Delivery = std::vector<std::pair<int64_t, Event>>;  ///< queue, event
  /// Events of queues that are closed are dropped.
  void deliver(Delivery delivery);

 private:
  friend class TokenQueue;
  std::unordered_map<int64_t, TokenQueue*> queues_;
  int64_t last_number_ = 0;
};

class TokenQueue : public TokenStream {
 public:
  /// `choices` that will each end with one last event; `cancel` tells the engine, given the queue's number.
  TokenQueue(std::shared_ptr<TokenDesk> desk, boost::asio::any_io_executor handlers, int choices,
             std::function<void(int64_t)> cancel);
  ~TokenQueue() override;

  Task<std::optional<Event>> next() override;
  int64_t number() const { return number_; }
  bool ready() const override { return !events_.empty() || open_ == 0; }
  void cancel() override;

 private:
  friend class TokenDesk;
  std::shared_ptr<TokenDesk> desk_;
  int64_t number_;
  int open_;  ///< choices whose last event was not read yet
  std::function<void(int64_t)> cancel_;
  std::deque<Event> events_;
  boost::asio::steady_timer bell_;  ///< never runs out; cancelling it wakes who waits
};

}  // namespace madang
