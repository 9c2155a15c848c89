// OpenAI's chat completions: POST /v1/chat/completions, whole or as a stream. Refuses: what chat_request.h says.
#include "serve/api/chat_answer.h"
#include "serve/api/chat_request.h"
#include "serve/api/routes.h"
#include "serve/api/sse.h"

namespace madang {
namespace {

// What has come in the meantime goes out in one piece.
Task<void> write_chunks(Exchange& x, Talk& talk, ChatAnswer& answer, bool usage) {
  co_await x.begin(200, event_stream);
  std::string piece;
  for (const Json& chunk : answer.first_chunks()) piece += data_event(chunk);
  co_await x.write(std::exchange(piece, {}));
  for (;;) {
    auto event = co_await talk.next();
    if (!event) break;
    while (event) {
      answer.push(*event);
      for (const Json& chunk : answer.chunks(*event)) piece += data_event(chunk);
      event = co_await talk.more();
    }
    co_await x.write(std::exchange(piece, {}));
  }
  if (usage) piece += data_event(answer.usage_chunk());
  piece += "data: [DONE]\n\n";
  co_await x.write(std::move(piece));
}

Task<void> chat(Services& services, Exchange& x) {
  const Json body = parse_json(x.request().body, "request");
  const ChatRequest request = read_chat_request(body);
  auto talk = co_await Talk::start(services, x, request.talk);
  ChatAnswer answer(*talk, talk->model().name, request.talk, request.include_usage);
  if (request.stream) {
    auto write = [&]() -> Task<void> { return write_chunks(x, *talk, answer, request.include_usage); };
    co_await stream_events(x, write);
    co_return;
  }
  for (;;) {
    auto event = co_await talk->next();
    if (!event) break;
    if (x.gone()) throw Gone();
    answer.push(*event);
  }
  co_await x.reply(200, "application/json", json_text(answer.whole()));
}

}  // namespace

std::vector<Route> chat_routes() { return {{"POST", "/v1/chat/completions", chat}}; }

}  // namespace madang
