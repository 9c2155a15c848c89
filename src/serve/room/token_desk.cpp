#include "serve/room/token_desk.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace madang {

namespace asio = boost::asio;

void TokenDesk::deliver(Delivery delivery) {
  for (auto& [number, event] : delivery) {
    const auto found = queues_.find(number);
    if (found == queues_.end()) continue;
    found->second->events_.push_back(std::move(event));
    found->second->bell_.cancel();
  }
}

TokenQueue::TokenQueue(std::shared_ptr<TokenDesk> desk, asio::any_io_executor handlers, int choices,
                       std::function<void(int64_t)> cancel)
    : desk_(std::move(desk)),
      number_(++desk_->last_number_),
      open_(choices),
      cancel_(std::move(cancel)),
      bell_(std::move(handlers), asio::steady_timer::time_point::max()) {
  desk_->queues_[number_] = this;
}

TokenQueue::~TokenQueue() {
  desk_->queues_.erase(number_);
  cancel();
}

Task<std::optional<Event>> TokenQueue::next() {
  while (events_.empty()) {
    if (open_ == 0) co_return std::nullopt;
    boost::system::error_code woken;
    co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  Event event = std::move(events_.front());
  events_.pop_front();
  if (event.finish != Finish::none) --open_;
  co_return event;
}

void TokenQueue::cancel() {
  if (open_ > 0 && cancel_) std::exchange(cancel_, {})(number_);
}

}  // namespace madang
