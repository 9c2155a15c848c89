// OpenAI's responses: POST /v1/responses; GET and DELETE of stored ones, their input items, cancelling.
// A server with a store keeps responses unless told store: false; one without refuses store: true and
// previous_response_id, saying how to start it.
// Refuses: what responses_request.h says; streaming a stored response anew.
#include <algorithm>

#include "serve/api/listing.h"
#include "serve/api/named_events.h"
#include "serve/api/responses_answer.h"
#include "serve/api/responses_items.h"
#include "serve/api/responses_request.h"
#include "serve/api/routes.h"
#include "serve/http/elsewhere.h"
#include "serve/store/store.h"

namespace madang {
namespace {

/// Whether the response is to be stored; refuses what a server without a store cannot do.
bool to_store(const Store& store, const ResponsesRequest& request) {
  if (store.keeps()) return request.store.value_or(true);
  const bool asked = request.store.value_or(false);
  if (asked || !request.previous.empty())
    throw not_built(asked ? "store" : "previous_response_id",
                    say("this server keeps no responses: start it with --store FILE or --store postgresql://..."));
  return false;
}

/// All messages of the turn: instructions, the thread before, this input.
Task<Json> thread_messages(Services& services, Exchange& x, const ResponsesRequest& request) {
  Json items = Json::array();
  if (!request.previous.empty()) {
    auto thread = co_await elsewhere(services.helpers, [&services, &x, &request] {
      return services.store.thread(x.request().client.name, request.previous);
    });
    if (thread.empty())
      throw Problem(say("Previous response with id '{}' not found.", request.previous), "previous_response_id",
                    "previous_response_not_found");
    for (const StoredResponse& before : thread) {
      items.insert(items.end(), before.input.begin(), before.input.end());
      const Json& output = before.response["output"];
      items.insert(items.end(), output.begin(), output.end());
    }
  }
  items.insert(items.end(), request.input.begin(), request.input.end());
  Json messages = messages_of(items);
  const Json& instructions = request.response["instructions"];
  if (instructions.is_string() && instructions != "")
    messages.insert(messages.begin(), Json{{"role", "system"}, {"content", instructions}});
  co_return messages;
}

std::string text_of(const std::vector<Json>& events) {
  std::string out;
  for (const Json& event : events) out += named_event(event);
  return out;
}

/// The turn to its end: events go out where they are asked for; what breaks it makes the response a failed one. False:
/// the client has left, and the turn with it.
Task<bool> run(Exchange& x, Talk& talk, ResponsesAnswer& answer, bool stream) {
  std::optional<Problem> problem;
  bool left = false;
  try {
    if (stream) {
      const std::string first = text_of(answer.begin());
      co_await x.write(first);
    }
    for (;;) {
      auto event = co_await talk.next();
      if (!event) break;
      const auto events = answer.push(*event);
      if (stream && !events.empty()) co_await x.write(text_of(events));
    }
  } catch (const Gone&) {
    left = true;
  } catch (...) {
    problem = current_problem();
  }
  if (left || x.gone()) {
    answer.cancel();
    co_return false;
  }
  if (answer.response()["status"] == "cancelled") problem = Problem(say("the server is stopping")).status(503);
  if (!problem) co_return true;
  const auto events = answer.fail(problem->message());
  if (stream) co_await x.write(text_of(events));
  co_return true;
}

ResponsesAnswer::Spell speller(const Talk& talk, bool wanted) {
  if (!wanted) return {};
  auto tokenizer = talk.model().checkpoint->tokenizer();
  return [tokenizer](int32_t id) { return tokenizer->token_bytes(id); };
}

Task<void> create(Services& services, Exchange& x) {
  ResponsesRequest request = read_responses_request(parse_json(x.request().body, "request"));
  const bool keep = to_store(services.store, request);
  Json messages = co_await thread_messages(services, x, request);
  request.talk.messages = std::move(messages);
  auto talk = co_await Talk::start(services, x, std::move(request.talk));

  StoredResponse stored{new_id("resp_"), request.previous, now_microseconds(), {}, request.input};
  request.response["id"] = stored.id;
  request.response["created_at"] = stored.created / 1'000'000;
  request.response["store"] = keep;
  ResponsesAnswer answer(std::move(request.response), speller(*talk, request.logprobs));
  if (request.stream) {
    x.header("cache-control", "no-cache");
    co_await x.begin(200, "text/event-stream; charset=utf-8");
  }
  const bool here = co_await run(x, *talk, answer, request.stream);
  if (keep && (here || request.stream)) {  // a stream told its id, so that it can be asked for
    stored.response = answer.response();
    co_await elsewhere(services.helpers,
                       [&services, &x, &stored] { services.store.put(x.request().client.name, stored); });
  }
  if (!here) throw Gone();
  if (!request.stream) {
    co_await x.reply(200, "application/json", json_text(answer.response()));
    co_return;
  }
  co_await x.write(named_event(answer.end()));
  co_await x.end();
}

[[noreturn]] void not_found(const std::string& id) {
  throw Problem(say("Response with id '{}' not found.", id), "response_id").status(404);
}

Task<StoredResponse> find(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  auto found = co_await elsewhere(
      services.helpers, [&services, &x, &id] { return services.store.response(x.request().client.name, id); });
  if (!found) not_found(id);
  co_return std::move(*found);
}

Task<void> get(Services& services, Exchange& x) {
  const auto stream = x.request().query.find("stream");
  if (stream != x.request().query.end() && stream->second == "true")
    throw not_built("stream", say("streaming a stored response anew is not built"));
  const StoredResponse found = co_await find(services, x);
  co_await x.reply(200, "application/json", json_text(found.response));
}

Task<void> remove(Services& services, Exchange& x) {
  const std::string& id = x.request().parameters.at("id");
  const bool there = co_await elsewhere(
      services.helpers, [&services, &x, &id] { return services.store.remove_response(x.request().client.name, id); });
  if (!there) not_found(id);
  const Json answer = {{"id", id}, {"object", "response"}, {"deleted", true}};
  co_await x.reply(200, "application/json", json_text(answer));
}

Task<void> input_items(Services& services, Exchange& x) {
  const Window window = window_of(x.request(), 20, 100);
  const StoredResponse found = co_await find(services, x);
  std::vector<Json> items(found.input.begin(), found.input.end());
  if (!window.ascending) std::ranges::reverse(items);
  auto begin = items.begin();
  if (!window.after.empty()) {
    begin = std::ranges::find_if(items, [&](const Json& item) { return item["id"] == window.after; });
    if (begin != items.end()) ++begin;
  }
  Listed<Json> page;
  const auto count = std::min<int64_t>(window.limit, items.end() - begin);
  page.rows.assign(begin, begin + count);
  page.more = begin + count != items.end();
  const Json answer = list_object(page, [](const Json& item) { return item; });
  co_await x.reply(200, "application/json", json_text(answer));
}

Task<void> cancel(Services& services, Exchange& x) {
  co_await find(services, x);
  throw Problem(say("Only responses in the background can be cancelled: close the connection of this one."));
}

}  // namespace

std::vector<Route> response_routes() {
  return {{"POST", "/v1/responses", create},
          {"GET", "/v1/responses/{id}", get},
          {"DELETE", "/v1/responses/{id}", remove},
          {"GET", "/v1/responses/{id}/input_items", input_items},
          {"POST", "/v1/responses/{id}/cancel", cancel}};
}

}  // namespace madang
