// One peer: bytes in, requests one after the other, answers in their order. Two coroutines: one only reads, into an
// inbox of bounded size, so that a peer that hangs up is noticed while its request is still being worked on; the other
// takes requests out of the inbox and answers them.
// Everything waits for a bounded time only: headers, bodies, slow readers, the next request.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "serve/http/wire.h"

namespace madang {

struct House;
class RequestReader;
class Problem;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `house` outlives it. `executor`: of the handlers' thread, on which everything here runs.
  Connection(House& house, std::unique_ptr<Wire> wire, boost::asio::any_io_executor executor, std::string peer);
  ~Connection();

  Task<void> run();
  /// No further request; at once if none is under way.
  void retire();
  /// As if the peer had hung up.
  void abandon();

  // For the request under way.
  /// Until the reader is done. Throws Problem (408, 413, 503), Gone.
  Task<void> receive_body(RequestReader& reader);
  /// All bytes, in the time a slow reader is given. Throws Gone.
  Task<void> send(std::string bytes);
  bool gone() const { return ended_; }
  void on_gone(std::function<void()> act);
  const std::string& peer() const { return peer_; }
  House& house() { return house_; }

 private:
  using Clock = std::chrono::steady_clock;

  Task<void> read_side();
  Task<void> serve();
  Task<bool> one_request();
  Task<bool> receive_head(RequestReader& reader);
  Task<void> farewell();
  void cut_after(double time);
  void cut_never();
  Task<bool> more(Clock::time_point until);
  bool feed(RequestReader& reader);
  void hang_up();
  void close();

  House& house_;
  std::unique_ptr<Wire> wire_;
  std::string peer_;
  boost::asio::steady_timer news_, room_, slow_;  ///< something to read; room in the inbox; a write takes too long
  std::string inbox_;
  size_t taken_ = 0;     ///< bytes of the inbox that are used up
  int64_t arrived_ = 0;  ///< bytes, ever
  bool ended_ = false;   ///< the peer sends no more
  bool closed_ = false, idle_ = true, retired_ = false;
  std::function<void()> on_gone_;
};

}  // namespace madang
