// The server as a network sees it: it listens, greets, bounds the number of connections, and closes in good order.
// One thread, the one that calls run(), runs all connections and all handlers.
#pragma once
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <optional>
#include <string>
#include <vector>

#include "serve/http/house.h"
#include "serve/http/wire.h"

namespace madang {

class HttpServer {
 public:
  /// Listens from here on, and answers once it runs. `io` (of one thread), `keys` and `services` outlive it. Throws
  /// Error: io with a hint where the port is taken, network for a name without address, what tls_context() throws.
  HttpServer(boost::asio::io_context& io, HttpOptions options, const Keys& keys, std::vector<Route> routes,
             Services& services);
  ~HttpServer();

  std::vector<std::string> addresses() const;  ///< "http://127.0.0.1:8080", "unix:/run/madang.sock"
  int port() const;                            ///< the one in use; 0: none

  /// Until stop(), or SIGINT or SIGTERM if `signals`; a second one ends it at once. False if something was still
  /// running at the end: then `io` still holds what refers to all of this, and the process
  /// should end.
  bool run(bool signals);
  /// Any thread: no new requests, what runs may finish in options.shutdown_seconds, then it is cut off.
  void stop();

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol>;

  void listen();
  void listen_at(const boost::asio::generic::stream_protocol::endpoint& endpoint, const std::string& name);
  void listen_unix();
  Task<void> accept(Acceptor& acceptor);
  Task<void> refuse(Socket socket);
  Task<void> wait_for_signal();
  Task<void> close_down();

  const HttpOptions options_;
  std::optional<boost::asio::ssl::context> tls_;
  House house_;
  bool clean_ = true;
  boost::asio::io_context& io_;
  std::vector<Acceptor> acceptors_;
};

/// Whether only this machine can reach it.
bool is_loopback(const HttpOptions& options);

}  // namespace madang
