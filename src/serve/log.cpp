#include "serve/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>

#include "base/error.h"

namespace madang {
namespace {

// RFC 3339 in UTC, to the millisecond.
std::string now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm t{};
  gmtime_r(&seconds, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                     t.tm_min, t.tm_sec, ms % 1000);
}

}  // namespace

Log::Log(const std::string& path, LogLevel least) : descriptor_(STDERR_FILENO), least_(least) {
  if (path == "-") return;
  descriptor_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (descriptor_ < 0)
    throw Error(Kind::io, say("the log cannot be written: {}", std::generic_category().message(errno))).at(path);
  own_ = true;
}

Log::~Log() {
  if (own_) close(descriptor_);
}

void Log::write(LogLevel level, std::string_view event, const Json& facts) {
  if (!takes(level)) return;
  constexpr std::array<const char*, 5> names = {"debug", "info", "warning", "error", "off"};
  Json line = {{"time", now()}, {"level", names[static_cast<size_t>(level)]}, {"event", event}};
  line.update(facts);
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  std::lock_guard lock(mutex_);
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(descriptor_, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += static_cast<size_t>(n);
  }
}

}  // namespace madang
