// Server-sent events as OpenAI's older APIs write them: data without a name, and a last one that says [DONE]
// (WHATWG HTML, "Server-sent events"). Events with names: named_events.h.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "serve/api/named_events.h"
#include "serve/http/exchange.h"
#include "serve/problem.h"

namespace madang {

inline constexpr std::string_view event_stream = "text/event-stream; charset=utf-8";

inline std::string data_event(const Json& data) { return "data: " + json_text(data) + "\n\n"; }

/// Runs `write`, which writes the events; an exception after the first byte becomes the stream's last event, as OpenAI
/// sends it. Gone is passed on, as is what is thrown before the first byte.
inline Task<void> stream_events(Exchange& x, std::function<Task<void>()> write) {
  x.header("cache-control", "no-cache");
  std::optional<Problem> problem;
  try {
    co_await write();
  } catch (const Gone&) {
    throw;
  } catch (...) {
    if (!x.begun()) throw;
    problem = current_problem();
  }
  if (problem) co_await x.write(data_event(problem->openai()));
  co_await x.end();
}

}  // namespace madang
