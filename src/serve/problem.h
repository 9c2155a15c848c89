// What is wrong with a request, in the words that API clients know: a status, a type, a code, the field's name.
// The same facts as an Error, told in OpenAI's or Anthropic's shape.
#pragma once
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace madang {

class Problem : public std::exception {
 public:
  /// 400 unless said otherwise. `param`: "messages[2].content", or "" if no field is at fault.
  explicit Problem(Text what, std::string param = "", std::string code = "")
      : what_(std::move(what)), param_(std::move(param)), code_(std::move(code)) {}
  /// usage, format, mismatch, limit, unsupported, refused: 400; missing: 404; all else: 500.
  explicit Problem(const Error& error, std::string param = "");

  Problem& status(int code) {
    status_ = code;
    return *this;
  }
  Problem& type(std::string name) {
    type_ = std::move(name);
    return *this;
  }
  Problem& retry_after(double seconds) {
    retry_after_ = seconds;
    return *this;
  }

  /// Asking again is of no use, whatever the status says to machines.
  Problem& lasting() {
    lasting_ = true;
    return *this;
  }

  int status() const { return status_; }
  bool lasts() const {
    return lasting_;
  }  ///< becomes x-should-retry: false, which OpenAI's and Anthropic's clients obey
  std::optional<double> retry_after() const { return retry_after_; }  ///< seconds; becomes Retry-After, rounded up
  const std::string& param() const { return param_; }
  const std::string& code() const { return code_; }
  std::string message() const;  ///< English: clients search it
  const char* what() const noexcept override;

  /// {"error": {"message", "type", "param", "code"}}; the type follows from the status unless it was given:
  /// invalid_request_error, authentication_error, rate_limit_error, server_error.
  Json openai() const;
  /// {"type": "error", "error": {"type", "message"}, "request_id"}
  Json anthropic(const std::string& request_id) const;

 private:
  Text what_;
  std::string param_, code_, type_;
  int status_ = 400;
  std::optional<double> retry_after_;
  bool lasting_ = false;
  mutable std::string rendered_;
};

/// What is not built yet, said so: 400, code "unsupported", naming the field.
Problem not_built(std::string param, Text what);

}  // namespace madang
