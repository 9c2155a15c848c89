// Small things that the responses and messages APIs share: ids, clocks, and server-sent events with a name (WHATWG
// HTML, "Server-sent events").
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "serve/problem.h"

namespace madang {

/// `prefix` and 32 hexadecimal digits from the system's generator: not to be guessed.
std::string new_id(std::string_view prefix);

int64_t now_microseconds();  ///< Unix time

/// JSON text of what a model may have written: bytes that are no UTF-8 become U+FFFD instead of an exception.
std::string json_text(const Json& value);

/// "event: NAME\ndata: {...}\n\n", the name being the object's own "type".
std::string named_event(const Json& data);

/// The exception that is being handled, as a problem; Gone and what is no fault of a request is thrown on.
Problem current_problem();

}  // namespace madang
