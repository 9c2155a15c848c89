// The server's log: one JSON object a line, never a word of prompts or answers.
//
//   log.write(LogLevel::info, "request", {{"id", id}, {"status", 200}});
//   {"time":"2026-11-24T14:02:52.123Z","level":"info","event":"request","id":"req_...","status":200}
//
// Thread safe. A line is written whole, by one call of the system; a full disk loses lines, not requests.
#pragma once
#include <mutex>
#include <string>
#include <string_view>

#include "base/json.h"

namespace madang {

enum class LogLevel { debug, info, warning, error, off };

class Log {
 public:
  Log() = default;  ///< says nothing
  /// "-": standard error; else a file to append to. Throws Kind::io.
  Log(const std::string& path, LogLevel least);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool takes(LogLevel level) const { return descriptor_ >= 0 && level >= least_; }
  /// `facts`: an object; its members follow time, level and event.
  void write(LogLevel level, std::string_view event, const Json& facts = Json::object());

 private:
  int descriptor_ = -1;
  LogLevel least_ = LogLevel::off;
  bool own_ = false;
  std::mutex mutex_;
};

}  // namespace madang
