#include "serve/room/room_thread.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "serve/room/seat.h"

namespace madang {

RoomThread::RoomThread(boost::asio::any_io_executor handlers) : handlers_(std::move(handlers)) {
  thread_ = std::thread([this] { run(); });
}

bool RoomThread::before_next_step(std::move_only_function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (stop_) return false;
    inbox_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void RoomThread::add(std::shared_ptr<Seat> seat) {
  before_next_step([this, seat = std::move(seat)] { seats_.push_back(seat); });
}

void RoomThread::remove(const std::shared_ptr<Seat>& seat) {
  before_next_step([this, seat] {
    seat->cancel_all();
    hand_over(seat->step());
    std::erase(seats_, seat);
  });
}

void RoomThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void RoomThread::hand_over(TokenDesk::Delivery delivery) {
  if (delivery.empty()) return;
  boost::asio::post(handlers_,
                    [desk = desk_, delivery = std::move(delivery)]() mutable { desk->deliver(std::move(delivery)); });
}

void RoomThread::run() {
  std::vector<std::move_only_function<void()>> todo;
  for (bool stopping = false; !stopping;) {
    {
      std::unique_lock lock(mutex_);
      const bool busy = std::ranges::any_of(seats_, [](const auto& seat) { return seat->busy(); });
      if (!busy) wake_.wait(lock, [this] { return stop_ || !inbox_.empty(); });
      todo.swap(inbox_);
      stopping = stop_;
    }
    for (auto& work : todo) work();
    todo.clear();
    for (const auto& seat : seats_) {
      if (stopping) seat->cancel_all();
      if (seat->busy()) hand_over(seat->step());
    }
  }
  seats_.clear();
}

}  // namespace madang
