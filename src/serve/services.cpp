#include "serve/services.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>

#include "serve/limits.h"
#include "serve/log.h"
#include "serve/metrics.h"
#include "serve/problem.h"
#include "serve/store/store.h"

namespace madang {

void check_allowed(const Client& client, const std::string& model) {
  if (client.models.empty() || std::ranges::count(client.models, model) > 0) return;
  throw Problem(say("The model '{}' does not exist or you do not have access to it.", model), "model",
                "model_not_found")
      .status(404);
}

void account(Services& services, const Client& client, const std::string& model, int64_t prompt, int64_t reused,
             int64_t answer) {
  services.metrics.tokens(model, client.name, prompt, reused, answer);
  services.limits.spend_tokens(client.name, prompt - reused + answer);
  if (!services.store.keeps()) return;
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const UsageRow row{client.name, fmt::format("{:%F}", today), model, 1, prompt, reused, answer};
  boost::asio::post(services.helpers, [&store = services.store, &log = services.log, row] {
    try {
      store.add_usage(row);
    } catch (const std::exception& fault) {  // the answer was given: a count that is lost is not worth taking it back
      log.write(LogLevel::error, "usage", {{"fault", fault.what()}});
    }
  });
}

}  // namespace madang
