// What those ask who watch the server: is it alive, can it work, what does it do.
#include <algorithm>

#include "base/version.h"
#include "serve/api/routes.h"
#include "serve/metrics.h"

namespace madang {
namespace {

constexpr const char* json = "application/json";

Task<void> health(Services&, Exchange& x) { co_await x.reply(200, json, R"({"status":"ok"})"); }

// A model is open, or can be opened when it is asked for.
Task<void> ready(Services& services, Exchange& x) {
  const bool can = !services.models.list().empty();
  co_await x.reply(can ? 200 : 503, json, can ? R"({"status":"ready"})" : R"({"status":"no model"})");
}

Task<void> metrics(Services& services, Exchange& x) {
  const auto models = services.models.list();
  co_await x.reply(200, "text/plain; version=0.0.4; charset=utf-8", services.metrics.prometheus(models));
}

Task<void> status(Services& services, Exchange& x) {
  Json models = Json::array();
  int64_t bytes = 0, hits = 0, reused = 0;
  for (const ModelStatus& m : services.models.list()) {
    models.push_back({{"id", m.name},
                      {"loaded", m.open},
                      {"bytes", m.bytes},
                      {"context", m.context},
                      {"running", m.load.running},
                      {"waiting", m.load.waiting}});
    bytes += m.load.cache_bytes;
    hits += m.load.stats.cache.hits;
    reused += m.load.stats.cache.reused_tokens;
  }
  const Json out = {{"version", version},
                    {"models", std::move(models)},
                    {"requests", {{"active", services.metrics.active()}, {"total", services.metrics.total()}}},
                    {"cache", {{"bytes", bytes}, {"hits", hits}, {"tokens_reused", reused}}},
                    {"uptime_seconds", services.metrics.uptime()}};
  co_await x.reply(200, json, out.dump());
}

}  // namespace

std::vector<Route> health_routes() {
  return {{"GET", "/health", health, Access::open},
          {"GET", "/ready", ready, Access::open},
          {"GET", "/metrics", metrics},
          {"GET", "/status", status}};
}

}  // namespace madang
