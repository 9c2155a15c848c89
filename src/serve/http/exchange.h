// One request and the way to answer it, as handlers see them: no socket, no parser, no TLS. Handlers are coroutines
// that read like a letter and its reply:
//
//   Task<void> health(Services&, Exchange& x) { co_await x.reply(200, "application/json", R"({"status":"ok"})"); }
//
// All handlers run on one thread, so what they share needs no locks; what takes longer than a few milliseconds is sent
// away with `elsewhere` (serve/http/elsewhere.h).
// A handler answers once: reply(), or begin(), write() as often as it likes, end(). Errors are thrown: Problem (with
// the field's name), or Error, which becomes one; before the first byte they are a status and a JSON body, afterwards
// the handler has to say them in the stream's own way.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace madang {

template <class T>
using Task = boost::asio::awaitable<T>;

/// Who asks: a named API key, or nobody in particular on a server without keys.
struct Client {
  std::string name;                 ///< of the key; "" without keys
  std::string from;                 ///< without keys: what tells clients apart that share the model
  int priority = 0;                 ///< higher goes first
  int64_t weight = 1;               ///< its share beside others of its priority
  bool admin = false;               ///< may see others' usage
  std::vector<std::string> models;  ///< it may ask; empty: all (serve/services.h: check_allowed)
};

struct HttpRequest {
  std::string method;                                        ///< "POST"
  std::string path;                                          ///< without the query, percent-decoded: "/v1/models"
  std::map<std::string, std::string> query;                  ///< decoded
  std::map<std::string, std::string> parameters;             ///< of the route: /v1/files/{id}
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;                                          ///< whole, within the limit
  std::string id;                                            ///< "req_...", also in the answer's x-request-id
  std::string traceparent;                                   ///< W3C Trace Context level 1, ours as the child of theirs
  Client client;

  /// The first of that name (lower case), or "".
  std::string_view header(std::string_view name) const;
};

/// The reader has gone away, or was too slow for too long: nothing is left to say.
struct Gone : std::exception {
  const char* what() const noexcept override { return "the client has gone"; }
};

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const HttpRequest& request() const = 0;
  /// One more header of the answer; before the first byte.
  virtual void header(std::string name, std::string value) = 0;

  virtual Task<void> reply(int status, std::string_view type, std::string body) = 0;
  /// An answer in pieces, of unknown length. Waits for slow readers, up to the server's bound; then throws Gone.
  virtual Task<void> begin(int status, std::string_view type) = 0;
  virtual Task<void> write(std::string piece) = 0;
  virtual Task<void> end() = 0;
  virtual bool begun() const = 0;

  /// True once the client hung up, also while nothing is being written.
  virtual bool gone() const = 0;
  /// Called on the handlers' thread when that happens (at once if it has); one function, the last one set; empty: none.
  virtual void on_gone(std::function<void()> act) = 0;

  /// For the log line and the metrics: the model asked, tokens in and out, whatever else is worth a word. Never text.
  virtual void note(std::string_view name, std::string value) = 0;
};

}  // namespace madang
