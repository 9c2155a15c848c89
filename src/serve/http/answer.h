// An Exchange over a connection: the answer's header, its body whole or in chunks (RFC 9112, section 7.1), and the log
// line at the end.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "serve/http/connection.h"
#include "serve/http/trace.h"
#include "serve/problem.h"
#include "serve/route.h"

namespace madang {

class Answer final : public Exchange {
 public:
  Answer(Connection& connection, HttpRequest request);
  ~Answer() override;

  const HttpRequest& request() const override { return request_; }
  HttpRequest& request() { return request_; }
  void header(std::string name, std::string value) override;
  Task<void> reply(int status, std::string_view type, std::string body) override;
  Task<void> begin(int status, std::string_view type) override;
  Task<void> write(std::string piece) override;
  Task<void> end() override;
  bool begun() const override { return status_ != 0; }
  bool gone() const override { return connection_.gone(); }
  void on_gone(std::function<void()> act) override { connection_.on_gone(std::move(act)); }
  void note(std::string_view name, std::string value) override;

  // For the connection.
  Task<void> fail(const Problem& problem, Dialect dialect);
  void set_route(const Route& route) { pattern_ = route.pattern; }
  void set_version(bool old) { old_ = old; }
  void set_keep(bool keep) { keep_ = keep; }
  bool ended() const { return ended_; }  ///< the answer is whole
  bool keep() const { return keep_; }
  /// Once, at the end: the log line and the metrics.
  void close(std::string_view fault);

 private:
  std::string head(int status, std::string_view type, std::optional<size_t> length) const;
  std::string noted(std::string_view name) const;
  bool has_body() const;

  Connection& connection_;
  HttpRequest request_;
  Trace trace_;
  std::string pattern_;
  std::vector<std::pair<std::string, std::string>> headers_, notes_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  int64_t bytes_ = 0;
  int status_ = 0;
  bool old_ = false, keep_ = false, ended_ = false, chunked_ = false;
};

}  // namespace madang
