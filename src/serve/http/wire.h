// Bytes to and from a peer, whatever carries them: TCP or a socket in the file system, plain or in TLS.
// One read and one write may be under way at the same time. No exceptions: a wire that broke reads and writes nothing.
#pragma once
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <span>
#include <string_view>

#include "serve/http/exchange.h"

namespace madang {

using Socket = boost::asio::generic::stream_protocol::socket;

class Wire {
 public:
  virtual ~Wire() = default;
  virtual Task<bool> greet() = 0;                        ///< the handshake, where there is one
  virtual Task<size_t> read(std::span<char> room) = 0;   ///< at least one byte; 0: the peer has ended
  virtual Task<bool> write(std::string_view bytes) = 0;  ///< all of them; false: the peer has gone
  virtual Task<void> finish() = 0;                       ///< no more will be written; reading goes on
  virtual void close() = 0;                              ///< at once; what is under way ends
};

std::unique_ptr<Wire> plain_wire(Socket socket);
std::unique_ptr<Wire> tls_wire(Socket socket, boost::asio::ssl::context& context);

/// PEM files. Throws Error: io, missing, format (with what OpenSSL says), mismatch if they do not belong together.
boost::asio::ssl::context tls_context(const std::string& certificate, const std::string& key);

}  // namespace madang
