#include "serve/http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "serve/http/handling.h"
#include "serve/http/house.h"
#include "serve/http/request_reader.h"
#include "serve/metrics.h"
#include "serve/problem.h"

namespace madang {
namespace {

namespace asio = boost::asio;

constexpr size_t read_bytes = 16 << 10;  // one TLS record
// Pipelined requests wait here, and what a body brings between two looks at it.
constexpr size_t inbox_bytes = 64 << 10;
constexpr double farewell_seconds = 2;  // for the answer to be read before the connection is cut

auto seconds(double s) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(s));
}

}  // namespace

Connection::Connection(House& house, std::unique_ptr<Wire> wire, asio::any_io_executor executor, std::string peer)
    : house_(house), wire_(std::move(wire)), peer_(std::move(peer)), news_(executor), room_(executor), slow_(executor) {
  house_.connections.insert(this);
  house_.services.metrics.open_connection();
}

Connection::~Connection() {
  house_.connections.erase(this);
  house_.services.metrics.close_connection();
}

void Connection::close() {
  closed_ = true;
  wire_->close();
  news_.cancel();
  room_.cancel();
}

void Connection::hang_up() {
  if (std::exchange(ended_, true)) return;
  news_.cancel();
  // Kept in a copy: the function may set another.
  if (auto act = std::exchange(on_gone_, {})) act();
}

void Connection::retire() {
  retired_ = true;
  if (idle_) close();
}

void Connection::abandon() {
  hang_up();
  close();
}

void Connection::on_gone(std::function<void()> act) {
  if (ended_ && act)
    act();
  else
    on_gone_ = std::move(act);
}

void Connection::cut_after(double time) {
  slow_.expires_after(seconds(time));
  slow_.async_wait([self = shared_from_this()](auto fault) {
    // The time may have been set anew after the wait had ended and before it is told here.
    if (!fault && self->slow_.expiry() <= Clock::now()) self->abandon();
  });
}

void Connection::cut_never() { slow_.expires_at(Clock::time_point::max()); }

Task<void> Connection::run() {
  const auto self = shared_from_this();
  cut_after(house_.options.header_seconds);  // whoever does not finish the handshake has not sent a header either
  const bool greeted = co_await wire_->greet();
  cut_never();
  if (!greeted || closed_) co_return close();
  asio::co_spawn(co_await asio::this_coro::executor, [self] { return self->read_side(); }, asio::detached);
  co_await serve();
  close();
}

Task<void> Connection::read_side() {
  const auto self = shared_from_this();
  std::array<char, read_bytes> piece;
  while (!closed_) {
    if (inbox_.size() - taken_ >= inbox_bytes) {
      boost::system::error_code ignored;
      room_.expires_at(Clock::time_point::max());
      co_await room_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      continue;
    }
    const size_t n = co_await wire_->read(piece);
    if (n == 0) break;
    inbox_.append(piece.data(), n);
    arrived_ += static_cast<int64_t>(n);
    news_.cancel();
  }
  hang_up();
}

// True once something came; false if it is too late or nothing more will come.
Task<bool> Connection::more(Clock::time_point until) {
  if (ended_ || closed_) co_return false;
  const int64_t before = arrived_;
  boost::system::error_code ignored;
  news_.expires_at(until);
  co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return arrived_ != before;
}

// Gives the inbox to the reader; false if it can do nothing with it yet.
bool Connection::feed(RequestReader& reader) {
  const std::string_view bytes = std::string_view(inbox_).substr(taken_);
  if (bytes.empty()) return false;
  const size_t used = reader.take(bytes);
  taken_ += used;
  if (taken_ == inbox_.size()) {
    taken_ = 0;
    inbox_.clear();
    if (inbox_.capacity() > read_bytes) inbox_.shrink_to_fit();
  } else if (taken_ >= inbox_bytes) {
    inbox_.erase(0, std::exchange(taken_, 0));
  }
  room_.cancel();
  if (used == 0 && bytes.size() >= inbox_bytes) throw Problem(say("The request header is too large.")).status(431);
  return used > 0;
}

Task<void> Connection::send(std::string bytes) {
  if (closed_) throw Gone();
  const auto self = shared_from_this();
  const HttpOptions& o = house_.options;
  cut_after(o.write_seconds + static_cast<double>(bytes.size()) / o.least_rate);
  const bool sent = co_await wire_->write(bytes);
  cut_never();
  if (sent && !closed_) co_return;
  hang_up();
  close();
  throw Gone();
}

Task<void> Connection::serve() {
  bool again = true;
  while (again && !closed_ && !retired_) again = co_await one_request();
}

// False: nobody is there, or nothing came in time.
Task<bool> Connection::receive_head(RequestReader& reader) {
  const HttpOptions& o = house_.options;
  auto until = Clock::now() + seconds(o.idle_seconds);
  while (!reader.head_done()) {
    const bool before = reader.begun();
    const bool fed = feed(reader);
    if (reader.begun() && !before) until = Clock::now() + seconds(o.header_seconds), idle_ = false;
    if (fed) continue;
    const bool came = co_await more(until);
    if (came) continue;
    if (reader.begun() && !ended_ && !closed_)
      throw Problem(say("The request's header did not come within {} seconds.", o.header_seconds)).status(408);
    co_return false;
  }
  co_return true;
}

Task<void> Connection::receive_body(RequestReader& reader) {
  const HttpOptions& o = house_.options;
  if (reader.waits() && !reader.done() && inbox_.size() == taken_) co_await send("HTTP/1.1 100 Continue\r\n\r\n");
  const auto began = Clock::now();
  int64_t counted = 0;  // in house_.body_bytes
  struct Release {
    int64_t &all, &mine;
    ~Release() { all -= mine; }
  } release{house_.body_bytes, counted};
  while (!reader.done()) {
    const bool fed = feed(reader);
    house_.body_bytes += reader.received() - counted;
    counted = reader.received();
    if (house_.body_bytes > o.all_body_bytes)
      throw Problem(say("Too many large requests are coming in at once.")).status(503).retry_after(5);
    if (fed) continue;
    const bool came =
        co_await more(began + seconds(o.body_seconds + static_cast<double>(reader.received()) / o.least_rate));
    if (came) continue;
    if (ended_ || closed_) throw Gone();
    throw Problem(say("The request's body did not come in time.")).status(408);
  }
}

// The connection ends, but the peer may still be sending: closing now would reset it before it has read our answer.
Task<void> Connection::farewell() {
  co_await wire_->finish();
  const auto until = Clock::now() + seconds(farewell_seconds);
  bool came = true;
  while (came) {
    inbox_.clear(), taken_ = 0;
    room_.cancel();
    came = co_await more(until);
  }
}

// True if another may follow.
Task<bool> Connection::one_request() {
  RequestReader reader(house_.options.header_bytes, house_.options.body_bytes);
  idle_ = true;
  std::optional<Problem> wrong;
  bool there = false;
  try {
    there = co_await receive_head(reader);
  } catch (const Problem& problem) {
    wrong = problem;
  }
  if (!there && !wrong) co_return false;
  idle_ = false;
  const bool keep = co_await handle_request(*this, reader, wrong);
  if (!keep && !closed_) co_await farewell();
  co_return keep;
}

}  // namespace madang
