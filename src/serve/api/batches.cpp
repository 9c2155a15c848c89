// OpenAI's batches: create, look, list, cancel. The lines are worked by batch_runner.
// Refuses: a server without a store, endpoints that no batch can hold, windows other than 24 hours.
#include "serve/api/batch_runner.h"
#include "serve/api/listing.h"
#include "serve/api/named_events.h"
#include "serve/api/routes.h"
#include "serve/fields.h"
#include "serve/http/elsewhere.h"

namespace madang {
namespace {

constexpr int64_t day = 24 * 60 * 60;

struct Counted {
  StoredBatch batch;
  LineCounts counts;
};

Json told(const Counted& counted) {
  Json out = counted.batch.facts;
  out["request_counts"]["completed"] = counted.counts.completed;
  out["request_counts"]["failed"] = counted.counts.failed;
  return out;
}

[[noreturn]] void not_found(const std::string& id) {
  throw Problem(say("No batch found with id '{}'.", id), "batch_id").status(404);
}

StoredBatch read(const HttpRequest& request) {
  const Json body = parse_json(request.body, "request");
  Fields f(body, "");
  StoredBatch batch{new_id("batch_"), request.client.name, now_microseconds(), true, {}, request.client.models};
  const int64_t now = batch.created / 1'000'000;
  batch.facts = {{"id", batch.id}, {"object", "batch"}};
  batch.facts["endpoint"] = f.need("endpoint", f.choice("endpoint", BatchRunner::endpoints()));
  batch.facts["input_file_id"] = f.need("input_file_id", f.text("input_file_id"));
  batch.facts["completion_window"] = f.need("completion_window", f.choice("completion_window", {"24h"}));
  batch.facts["status"] = "validating";
  batch.facts["created_at"] = now;
  batch.facts["expires_at"] = now + day;
  batch.facts["request_counts"] = {{"total", 0}, {"completed", 0}, {"failed", 0}};
  const Json* metadata = f.object("metadata");
  batch.facts["metadata"] = metadata ? *metadata : Json::object();
  for (const Json& value : batch.facts["metadata"])
    if (!value.is_string()) f.wrong("metadata", "an object of strings", value);
  f.refuse("output_expires_after", say("'{}' is not built", "output_expires_after"));
  f.finish();
  return batch;
}

Task<void> create(Services& services, Exchange& x) {
  const StoredBatch batch = read(x.request());
  const std::string input = batch.facts["input_file_id"];
  const auto file = co_await elsewhere(services.helpers, [&services, &batch, &input] {
    auto found = services.store.file(batch.client, input);
    if (found && found->purpose == "batch") services.store.put(batch);
    return found;
  });
  if (!file) throw Problem(say("No such File object: {}", input), "input_file_id").status(404);
  if (file->purpose != "batch")
    throw Problem(say("the input file must be uploaded with the purpose 'batch'"), "input_file_id", "invalid_value");
  if (services.batches) services.batches->add(batch);
  const Counted fresh{batch, {}};
  co_await x.reply(200, "application/json", json_text(told(fresh)));
}

Task<Counted> find(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  auto found = co_await elsewhere(services.helpers, [&services, &x, &id] {
    std::optional<Counted> out;
    if (auto batch = services.store.batch(x.request().client.name, id)) out = {*batch, services.store.counts(id)};
    return out;
  });
  if (!found) not_found(id);
  co_return std::move(*found);
}

Task<void> look(Services& services, Exchange& x) {
  const Counted found = co_await find(services, x);
  co_await x.reply(200, "application/json", json_text(told(found)));
}

Task<void> list(Services& services, Exchange& x) {
  const Window window = window_of(x.request(), 20, 100);
  const auto page = co_await elsewhere(services.helpers, [&services, &x, &window] {
    const auto found = services.store.batches(x.request().client.name, window);
    Listed<Counted> out;
    for (const StoredBatch& batch : found.rows) out.rows.push_back({batch, services.store.counts(batch.id)});
    out.more = found.more;
    return out;
  });
  co_await x.reply(200, "application/json", json_text(list_object(page, told)));
}

Task<void> cancel(Services& services, Exchange& x) {
  Counted found = co_await find(services, x);
  if (!found.batch.unfinished)
    throw Problem(say("the batch is over: its status is {}", found.batch.facts["status"].get<std::string>()))
        .status(409);
  if (auto now = services.batches ? services.batches->cancel(found.batch.id) : std::nullopt) {
    found.batch = *now;
  } else if (found.batch.facts["status"] != "cancelling") {  // another server works on it, and will see it
    found.batch.facts["status"] = "cancelling";
    found.batch.facts["cancelling_at"] = now_microseconds() / 1'000'000;
  }
  co_await elsewhere(services.helpers, [&services, &found] { services.store.put(found.batch); });
  co_await x.reply(200, "application/json", json_text(told(found)));
}

}  // namespace

std::vector<Route> batch_routes() {
  return {{"POST", "/v1/batches", create},
          {"GET", "/v1/batches", list},
          {"GET", "/v1/batches/{id}", look},
          {"POST", "/v1/batches/{id}/cancel", cancel}};
}

}  // namespace madang
