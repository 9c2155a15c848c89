#include "serve/http/gate.h"

#include <algorithm>

#include "serve/http/lower.h"
#include "serve/problem.h"

namespace madang {
namespace {

// "name:port", "[::1]:port" -> the name
std::string_view without_port(std::string_view host) {
  const size_t end = host.starts_with('[') ? host.find(']') : host.find(':');
  if (end == std::string_view::npos) return host;
  return host.substr(0, host.starts_with('[') ? end + 1 : end);
}

}  // namespace

Gate::Gate(const HttpOptions& options, bool checks_host)
    : checks_host_(checks_host || !options.hosts.empty()), any_origin_(std::ranges::count(options.origins, "*") > 0) {
  hosts_ = {"localhost", "127.0.0.1", "[::1]", lower(options.host), '[' + lower(options.host) + ']'};
  for (const auto& host : options.hosts) hosts_.insert(lower(host));
  for (const auto& origin : options.origins) origins_.insert(lower(origin));
}

bool Gate::knows_origin(std::string_view origin) const { return any_origin_ || origins_.contains(lower(origin)); }

void Gate::check(const HttpRequest& request, bool old) const {
  const std::string_view host = request.header("host"), origin = request.header("origin");
  const auto hosts = std::ranges::count(request.headers, "host", [](auto& h) { return h.first; });
  if (hosts > 1 || (hosts == 0 && !old)) throw Problem(say("A request has one Host header."));
  if (checks_host_ && hosts == 1 && !hosts_.contains(lower(without_port(host))))
    throw Problem(say("This server is not called {}. Start it with --allow-host if it is.", without_port(host)))
        .status(403);
  if (origin.empty() || knows_origin(origin)) return;
  const size_t scheme = origin.find("://");
  if (scheme != std::string_view::npos && lower(origin.substr(scheme + 3)) == lower(host)) return;
  throw Problem(say("Pages of {} may not call this server. Start it with --cors if they may.", origin)).status(403);
}

std::vector<std::pair<std::string, std::string>> Gate::headers(const HttpRequest& request) const {
  const std::string_view origin = request.header("origin");
  if (origin.empty() || !knows_origin(origin)) return {};
  return {{"access-control-allow-origin", any_origin_ ? "*" : std::string(origin)},
          {"access-control-expose-headers",
           "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
           "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, "
           "x-ratelimit-reset-tokens"},
          {"vary", "origin"}};
}

std::vector<std::pair<std::string, std::string>> Gate::preflight(const HttpRequest& request,
                                                                 const std::string& allowed) const {
  if (request.header("access-control-request-method").empty() || headers(request).empty()) return {};
  // The headers asked for are granted by name: "*" does not cover Authorization (Fetch, section 4.9).
  std::string wanted(request.header("access-control-request-headers"));
  std::vector<std::pair<std::string, std::string>> out = {{"access-control-allow-methods", allowed},
                                                          {"access-control-max-age", "600"}};
  if (!wanted.empty()) out.emplace_back("access-control-allow-headers", std::move(wanted));
  return out;
}

}  // namespace madang
