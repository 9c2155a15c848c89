// The thread that steps engines in turn, and its list of things to do.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "serve/room/token_desk.h"

namespace madang {

class Seat;

class RoomThread {
 public:
  explicit RoomThread(boost::asio::any_io_executor handlers);
  ~RoomThread() { stop(); }

  /// To be done on the thread before the next step; false, and not done, once it has stopped. Any thread may ask.
  bool before_next_step(std::move_only_function<void()> work);
  void add(std::shared_ptr<Seat> seat);
  void remove(const std::shared_ptr<Seat>& seat);
  void stop();

  const std::shared_ptr<TokenDesk>& desk() const { return desk_; }
  const boost::asio::any_io_executor& handlers() const { return handlers_; }

 private:
  void run();
  void hand_over(TokenDesk::Delivery delivery);

  boost::asio::any_io_executor handlers_;
  std::shared_ptr<TokenDesk> desk_ = std::make_shared<TokenDesk>();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::move_only_function<void()>> inbox_;
  bool stop_ = false;
  std::vector<std::shared_ptr<Seat>> seats_;  ///< the thread's own
  std::thread thread_;
};

}  // namespace madang
