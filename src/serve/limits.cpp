#include "serve/limits.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "serve/problem.h"

namespace madang {
namespace {

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// As OpenAI writes times: "6m0s", "1.5s", "20ms".
std::string duration(double seconds) {
  if (seconds < 1) return fmt::format("{}ms", std::lround(seconds * 1e3));
  if (seconds < 60) return fmt::format("{:.3g}s", seconds);
  const long whole = std::lround(seconds);
  return fmt::format("{}m{}s", whole / 60, whole % 60);
}

}  // namespace

void Limits::Bucket::fill(double now) {
  level = std::min(most, level + std::max(0.0, now - at) * most / 60);
  at = now;
}

double Limits::Bucket::wait(double wanted) const { return std::max(0.0, (wanted - level) * 60 / most); }

Limits::Limits(Clock clock) : clock_(clock ? std::move(clock) : Clock(steady_seconds)) {}

void Limits::set(const std::string& client, int64_t requests, int64_t tokens) {
  const double now = clock_(), r = static_cast<double>(requests), t = static_cast<double>(tokens);
  const auto known = clients_.find(client);
  if (known != clients_.end() && known->second.requests.most == r && known->second.tokens.most == t) return;
  if (requests > 0 || tokens > 0)
    clients_[client] = {{r, r, now}, {t, t, now}};
  else
    clients_.erase(client);
}

void Limits::take_request(const std::string& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  auto& [requests, tokens] = found->second;
  const double now = clock_();
  requests.fill(now), tokens.fill(now);
  if (requests.most > 0 && requests.level < 1)
    throw Problem(say("Rate limit reached for {} on requests per minute: limit {}.", client, requests.most), "",
                  "rate_limit_exceeded")
        .status(429)
        .retry_after(requests.wait(1));
  // One whole token, so that a moment's trickle does not open the door for another long answer.
  if (tokens.most > 0 && tokens.level < 1)
    throw Problem(say("Rate limit reached for {} on tokens per minute: limit {}.", client, tokens.most), "",
                  "rate_limit_exceeded")
        .status(429)
        .retry_after(tokens.wait(1));
  if (requests.most > 0) requests.level -= 1;
}

void Limits::spend_tokens(const std::string& client, int64_t tokens) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || tokens <= 0) return;
  found->second.tokens.fill(clock_());
  found->second.tokens.level -= static_cast<double>(tokens);
}

double Limits::wait_for_half(const std::string& client) const {
  const auto found = clients_.find(client);
  if (found == clients_.end() || found->second.tokens.most <= 0) return 0;
  Bucket tokens = found->second.tokens;
  tokens.fill(clock_());
  return tokens.wait(tokens.most / 2);
}

std::vector<std::pair<std::string, std::string>> Limits::headers(const std::string& client) const {
  const auto found = clients_.find(client);
  std::vector<std::pair<std::string, std::string>> out;
  if (found == clients_.end()) return out;
  auto add = [&](Bucket bucket, const std::string& what) {
    if (bucket.most <= 0) return;
    bucket.fill(clock_());
    out.emplace_back("x-ratelimit-limit-" + what, fmt::format("{}", bucket.most));
    out.emplace_back("x-ratelimit-remaining-" + what, fmt::format("{}", std::max(0.0, std::floor(bucket.level))));
    out.emplace_back("x-ratelimit-reset-" + what, duration(bucket.wait(bucket.most)));
  };
  add(found->second.requests, "requests");
  add(found->second.tokens, "tokens");
  return out;
}

}  // namespace madang
