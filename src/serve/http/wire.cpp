#include "serve/http/wire.h"

#include <openssl/err.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/error.h"

namespace madang {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

auto told_in(error_code& fault) { return asio::redirect_error(asio::use_awaitable, fault); }

class PlainWire final : public Wire {
 public:
  explicit PlainWire(Socket socket) : socket_(std::move(socket)) {}

  Task<bool> greet() override { co_return true; }
  Task<size_t> read(std::span<char> room) override {
    error_code fault;
    const size_t n = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), told_in(fault));
    co_return fault ? 0 : n;
  }
  Task<bool> write(std::string_view bytes) override {
    error_code fault;
    co_await asio::async_write(socket_, asio::buffer(bytes), told_in(fault));
    co_return !fault;
  }
  Task<void> finish() override {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    co_return;
  }
  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  Socket socket_;
};

class TlsWire final : public Wire {
 public:
  TlsWire(Socket socket, asio::ssl::context& context) : stream_(std::move(socket), context) {}

  Task<bool> greet() override {
    error_code fault;
    co_await stream_.async_handshake(asio::ssl::stream_base::server, told_in(fault));
    co_return !fault;
  }
  Task<size_t> read(std::span<char> room) override {
    error_code fault;
    const size_t n = co_await stream_.async_read_some(asio::buffer(room.data(), room.size()), told_in(fault));
    co_return fault ? 0 : n;
  }
  Task<bool> write(std::string_view bytes) override {
    error_code fault;
    co_await asio::async_write(stream_, asio::buffer(bytes), told_in(fault));
    co_return !fault;
  }
  // close_notify, but without waiting for the peer's: many never send it, and a reader may be under way.
  Task<void> finish() override {
    SSL_shutdown(stream_.native_handle());
    error_code ignored;
    stream_.next_layer().shutdown(Socket::shutdown_send, ignored);
    co_return;
  }
  void close() override {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  asio::ssl::stream<Socket> stream_;
};

void check_pem(const error_code& fault, const std::string& path) {
  if (!fault) return;
  if (access(path.c_str(), R_OK) != 0)
    throw Error(errno == ENOENT ? Kind::missing : Kind::io, say("the file cannot be read")).at(path);
  throw Error(Kind::format, say("this is no PEM file that OpenSSL can use: {}", fault.message())).at(path);
}

}  // namespace

std::unique_ptr<Wire> plain_wire(Socket socket) { return std::make_unique<PlainWire>(std::move(socket)); }

std::unique_ptr<Wire> tls_wire(Socket socket, asio::ssl::context& context) {
  return std::make_unique<TlsWire>(std::move(socket), context);
}

asio::ssl::context tls_context(const std::string& certificate, const std::string& key) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection holds no record buffers: 34 KiB less for each of thousands.
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  // A key that needs a passphrase is refused instead of asking a terminal that may not be there.
  context.set_password_callback([](size_t, asio::ssl::context::password_purpose) { return std::string(); });
  error_code fault;
  context.use_certificate_chain_file(certificate, fault);
  check_pem(fault, certificate);
  context.use_private_key_file(key, asio::ssl::context::pem, fault);
  if (fault && ERR_GET_REASON(static_cast<unsigned long>(fault.value())) == X509_R_KEY_VALUES_MISMATCH)
    throw Error(Kind::mismatch, say("this key does not belong to the certificate {}", certificate)).at(key);
  check_pem(fault, key);
  return context;
}

}  // namespace madang
