#include "serve/api/batch_runner.h"
#include "serve/http/http_server.h"

#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"
#include "serve/http/connection.h"
#include "serve/log.h"
#include "serve/metrics.h"

namespace madang {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// What is cut off at the end gets so long to notice: a step of a large model on a slow machine.
constexpr std::chrono::seconds last_seconds(10);
constexpr std::chrono::milliseconds look_again(20);

std::vector<tcp::endpoint> resolve(const HttpOptions& options) {
  error_code fault;
  const auto address = asio::ip::make_address(options.host, fault);
  const auto port = static_cast<uint16_t>(options.port);
  if (!fault) return {{address, port}};
  asio::io_context io;
  std::vector<tcp::endpoint> found;
  for (const auto& entry : tcp::resolver(io).resolve(options.host, std::to_string(port), tcp::resolver::passive, fault))
    found.push_back(entry.endpoint());
  if (found.empty()) throw Error(Kind::network, say("{} has no address: {}", options.host, fault.message()));
  return found;
}

std::string name_of(const sockaddr* address, socklen_t size) {
  if (address->sa_family != AF_INET && address->sa_family != AF_INET6) return "unix";
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV))
    return "?";
  return address->sa_family == AF_INET6 ? fmt::format("[{}]:{}", host.data(), port.data())
                                        : fmt::format("{}:{}", host.data(), port.data());
}

Error cannot_listen(const error_code& fault, const std::string& name) {
  Error error(Kind::io, say("cannot listen on {}: {}", name, fault.message()));
  if (fault == asio::error::address_in_use)
    error.hint(say("another program listens there; --port 0 takes a free port, --port N another one"));
  if (fault == asio::error::access_denied)
    error.hint(say("ports below 1024 need rights that this user has not; take one above, or a proxy"));
  return error;
}

}  // namespace

bool is_loopback(const HttpOptions& options) {
  return !options.unix_path.empty() ||
         std::ranges::all_of(resolve(options), [](const auto& e) { return e.address().is_loopback(); });
}

HttpServer::HttpServer(asio::io_context& io, HttpOptions options, const Keys& keys, std::vector<Route> routes,
                       Services& services)
    : options_(std::move(options)),
      // On a socket in the file system, rights decide who comes in, and no browser does.
      house_{options_, services, keys, Router(std::move(routes)),
             Gate(options_, options_.unix_path.empty() && is_loopback(options_))},
      io_(io) {
  if (!options_.certificate.empty()) tls_ = tls_context(options_.certificate, options_.key);
  listen();
}

HttpServer::~HttpServer() {
  if (!options_.unix_path.empty() && !acceptors_.empty()) unlink(options_.unix_path.c_str());
}

void HttpServer::listen() {
  if (!options_.unix_path.empty()) return listen_unix();
  for (tcp::endpoint endpoint : resolve(options_)) {
    if (endpoint.port() == 0 && port() != 0) endpoint.port(static_cast<uint16_t>(port()));  // one for all addresses
    listen_at(endpoint, name_of(endpoint.data(), static_cast<socklen_t>(endpoint.size())));
  }
}

void HttpServer::listen_at(const asio::generic::stream_protocol::endpoint& endpoint, const std::string& name) {
  Acceptor acceptor(io_);
  error_code fault;
  acceptor.open(endpoint.protocol(), fault);
  if (!fault) acceptor.set_option(asio::socket_base::reuse_address(true), fault);
  // "::" is every address of both kinds.
  if (endpoint.protocol().family() == AF_INET6) acceptor.set_option(asio::ip::v6_only(options_.host != "::"), fault);
  if (!fault) acceptor.bind(endpoint, fault);
  if (!fault) acceptor.listen(asio::socket_base::max_listen_connections, fault);
  if (fault) throw cannot_listen(fault, name);
  acceptors_.push_back(std::move(acceptor));
}

void HttpServer::listen_unix() {
  const std::string& path = options_.unix_path;
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    throw Error(Kind::usage, say("the path of a socket has at most {} bytes", sizeof(sockaddr_un::sun_path) - 1))
        .found(path);
  const asio::local::stream_protocol::endpoint endpoint(path);
  struct stat there{};
  if (lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) {
    // Left by a server that was killed, unless somebody answers.
    asio::local::stream_protocol::socket probe(io_);
    error_code fault;
    probe.connect(endpoint, fault);
    if (fault == asio::error::connection_refused) unlink(path.c_str());
  }
  const mode_t before = umask(0177);  // its owner's alone
  try {
    listen_at(endpoint, path);
  } catch (...) {
    umask(before);
    throw;
  }
  umask(before);
}

int HttpServer::port() const {
  if (acceptors_.empty() || !options_.unix_path.empty()) return 0;
  const auto endpoint = acceptors_.front().local_endpoint();
  const auto* address = static_cast<const sockaddr*>(endpoint.data());
  return ntohs(address->sa_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                                              : reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

std::vector<std::string> HttpServer::addresses() const {
  if (!options_.unix_path.empty()) return {"unix:" + options_.unix_path};
  std::vector<std::string> out;
  for (const Acceptor& a : acceptors_) {
    const auto endpoint = a.local_endpoint();
    out.push_back((tls_ ? "https://" : "http://") +
                  name_of(static_cast<const sockaddr*>(endpoint.data()), static_cast<socklen_t>(endpoint.size())));
  }
  return out;
}

Task<void> HttpServer::accept(Acceptor& acceptor) {
  while (!house_.closing) {
    error_code fault;
    Socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, fault));
    if (house_.closing) co_return;
    if (fault) {
      // No file descriptors left, most likely: connections that end will free some.
      house_.services.log.write(LogLevel::warning, "accept", {{"fault", fault.message()}});
      asio::steady_timer pause(io_, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, fault));
      continue;
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
    if (static_cast<int64_t>(house_.connections.size()) >= options_.connections) {
      asio::co_spawn(io_, refuse(std::move(socket)), asio::detached);
      continue;
    }
    const auto peer = socket.remote_endpoint(ignored);
    const std::string name =
        ignored ? "?" : name_of(static_cast<const sockaddr*>(peer.data()), static_cast<socklen_t>(peer.size()));
    auto wire = tls_ ? tls_wire(std::move(socket), *tls_) : plain_wire(std::move(socket));
    auto connection = std::make_shared<Connection>(house_, std::move(wire), io_.get_executor(), name);
    asio::co_spawn(io_, connection->run(), asio::detached);
  }
}

// One too many. In TLS a handshake would cost what is to be saved: the connection is closed without a word.
Task<void> HttpServer::refuse(Socket socket) {
  house_.services.metrics.refuse_connection();
  if (tls_) co_return;
  auto wire = plain_wire(std::move(socket));
  co_await wire->write(
      "HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  co_await wire->finish();
}

Task<void> HttpServer::wait_for_signal() {
  asio::signal_set signals(io_, SIGINT, SIGTERM);
  error_code fault;
  co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, fault));
  if (fault) co_return;
  stop();
  co_await signals.async_wait(asio::redirect_error(asio::use_awaitable, fault));
  if (fault) co_return;
  clean_ = false;
  io_.stop();
}

Task<void> HttpServer::close_down() {
  if (std::exchange(house_.closing, true)) co_return;
  if (house_.services.batches) house_.services.batches->stop();
  house_.services.log.write(LogLevel::info, "closing", {{"connections", house_.connections.size()}});
  for (Acceptor& a : acceptors_) a.close();
  const auto each = [&](void (Connection::*act)()) {
    for (Connection* c : std::set(house_.connections)) (c->*act)();
  };
  each(&Connection::retire);
  const auto begun = std::chrono::steady_clock::now();
  const auto patience = std::chrono::duration<double>(options_.shutdown_seconds);
  bool abandoned = false;
  asio::steady_timer pause(io_);
  while (!house_.connections.empty()) {
    const auto waited = std::chrono::steady_clock::now() - begun;
    if (waited >= patience && !std::exchange(abandoned, true)) each(&Connection::abandon);
    if (waited >= patience + last_seconds) {
      clean_ = false;
      break;
    }
    pause.expires_after(look_again);
    error_code ignored;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  io_.stop();
}

void HttpServer::stop() { asio::co_spawn(io_, close_down(), asio::detached); }

bool HttpServer::run(bool signals) {
  if (signals) asio::co_spawn(io_, wait_for_signal(), asio::detached);
  for (Acceptor& a : acceptors_) asio::co_spawn(io_, accept(a), asio::detached);
  io_.run();
  return clean_;
}

}  // namespace madang
