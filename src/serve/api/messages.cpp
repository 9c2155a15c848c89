// Anthropic's messages: POST /v1/messages and /v1/messages/count_tokens.
// Refuses: versions of the API that madang does not know, and what messages_request.h says.
#include <algorithm>
#include <iterator>

#include "serve/api/messages_answer.h"
#include "serve/api/messages_request.h"
#include "serve/api/named_events.h"
#include "serve/api/routes.h"

namespace madang {
namespace {

Json body_of(const Exchange& x) {
  // The shapes are those of 2023-06-01; clients of 2026-10-21 read them too (tests/clients).
  static constexpr std::string_view spoken[] = {"2026-10-21", "2023-06-01", "2023-01-01"};
  const std::string_view version = x.request().header("anthropic-version");
  if (!version.empty() && std::ranges::find(spoken, version) == std::end(spoken))
    throw Problem(say("anthropic-version {} is not one that madang speaks: use 2023-06-01", version),
                  "anthropic-version");
  return parse_json(x.request().body, "request");
}

std::string text_of(const std::vector<Json>& events) {
  std::string out;
  for (const Json& event : events) out += named_event(event);
  return out;
}

Task<void> stream_turn(Exchange& x, Talk& talk, MessagesAnswer& answer) {
  x.header("cache-control", "no-cache");
  co_await x.begin(200, "text/event-stream; charset=utf-8");
  co_await x.write(text_of(answer.begin()));
  for (;;) {
    auto event = co_await talk.next();
    if (!event) break;
    if (event->finish) check_whole(*event->finish, event->fault);
    const auto events = answer.push(*event);
    if (!events.empty()) co_await x.write(text_of(events));
  }
}

Task<void> stream(Exchange& x, Talk& talk, MessagesAnswer& answer) {
  std::optional<Problem> problem;
  try {
    co_await stream_turn(x, talk, answer);
  } catch (const Gone&) {
    throw;
  } catch (...) {
    if (!x.begun()) throw;
    problem = current_problem();
  }
  if (problem) co_await x.write(named_event(problem->anthropic(x.request().id)));
  co_await x.end();
}

Task<void> messages(Services& services, Exchange& x) {
  MessagesRequest request = read_messages_request(body_of(x), false);
  const std::string model = request.talk.model;
  auto talk = co_await Talk::start(services, x, std::move(request.talk));
  MessagesAnswer answer(new_id("msg_"), model, talk->prompt_tokens());
  if (request.stream) {
    co_await stream(x, *talk, answer);
    co_return;
  }
  for (;;) {
    auto event = co_await talk->next();
    if (!event) break;
    if (event->finish) check_whole(*event->finish, event->fault);
    answer.push(*event);
  }
  co_await x.reply(200, "application/json", json_text(answer.message()));
}

Task<void> count_tokens(Services& services, Exchange& x) {
  MessagesRequest request = read_messages_request(body_of(x), true);
  const Prompt prompt = co_await talk_prompt(services, std::move(request.talk));
  const Json answer = {{"input_tokens", prompt.ids.size()}};
  co_await x.reply(200, "application/json", json_text(answer));
}

}  // namespace

std::vector<Route> message_routes() {
  return {{"POST", "/v1/messages", messages, Access::key, Dialect::anthropic},
          {"POST", "/v1/messages/count_tokens", count_tokens, Access::key, Dialect::anthropic}};
}

}  // namespace madang
