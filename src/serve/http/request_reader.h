// One request out of bytes as they come: header, then body by length or in chunks (RFC 9112). The syntax is Beast's
// work; bounds and refusals are here. Never takes a byte beyond its request: what follows is the next one's.
// Refuses, as Problem with its status: bad syntax, a length and chunks together (400), too large (413, 431), versions
// other than 1.0 and 1.1 (505).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/exchange.h"
#include "serve/http/target.h"

namespace madang {

class RequestReader {
 public:
  RequestReader(int64_t header_bytes, int64_t body_bytes);
  ~RequestReader();

  /// How many bytes it has used. Bytes it has not must be offered again, with more behind them. Stops at the end of
  /// the header once. Throws Problem.
  size_t take(std::string_view bytes);

  bool begun() const;      ///< has seen a byte
  bool head_done() const;  ///< request(), target() and the rest are there; the body may still be missing
  bool done() const;

  HttpRequest& request() { return request_; }  ///< without its body
  std::string take_body();
  const Target& target() const { return target_; }
  bool keeps_open() const { return keeps_open_; }  ///< another request may follow on the connection
  bool old() const { return old_; }                ///< HTTP/1.0: knows no chunks
  bool waits() const { return waits_; }            ///< Expect: 100-continue
  bool chunked() const { return chunked_; }
  int64_t length() const { return length_; }  ///< announced bytes of the body; 0 if none or in chunks
  int64_t received() const;                   ///< bytes of the body so far

 private:
  struct Parser;
  void finish_head();

  std::unique_ptr<Parser> parser_;
  HttpRequest request_;
  Target target_;
  int64_t body_bytes_, length_ = 0;
  bool keeps_open_ = false, old_ = false, waits_ = false, chunked_ = false, head_ = false, begun_ = false;
};

}  // namespace madang
