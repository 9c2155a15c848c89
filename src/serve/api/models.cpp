// OpenAI's list of models: GET /v1/models, /v1/models/{id}. A key that is kept to some models sees no others.
#include <algorithm>

#include "serve/api/named_events.h"
#include "serve/api/routes.h"
#include "serve/problem.h"

namespace madang {
namespace {

bool allowed(const Client& client, const std::string& model) {
  return client.models.empty() || std::ranges::find(client.models, model) != client.models.end();
}

Json told(const ModelStatus& m) {
  Json out = {{"id", m.name}, {"object", "model"}, {"created", m.created}, {"owned_by", "madang"}};
  if (m.context > 0) out["context_window"] = out["max_model_len"] = m.context;  // the second: as vLLM calls it
  return out;
}

Task<void> models(Services& services, Exchange& x) {
  Json data = Json::array();
  for (const ModelStatus& m : services.models.list())
    if (allowed(x.request().client, m.name)) data.push_back(told(m));
  const Json list = {{"object", "list"}, {"data", std::move(data)}};
  co_await x.reply(200, "application/json", json_text(list));
}

Task<void> model(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  for (const ModelStatus& m : services.models.list()) {
    if (m.name != id || !allowed(x.request().client, m.name)) continue;
    co_await x.reply(200, "application/json", json_text(told(m)));
    co_return;
  }
  throw Problem(say("The model '{}' does not exist", id), "model", "model_not_found").status(404);
}

}  // namespace

std::vector<Route> model_routes() { return {{"GET", "/v1/models", models}, {"GET", "/v1/models/{id}", model}}; }

}  // namespace madang
