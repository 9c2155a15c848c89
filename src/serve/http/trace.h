// Names of requests: ids of our own, and W3C Trace Context (https://www.w3.org/TR/trace-context/).
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace madang {

/// So many bytes of the system's randomness, in hexadecimal.
std::string random_hex(size_t bytes);

struct Trace {
  std::string id, span, parent;  ///< hexadecimal: 32, 16, 16 ("": we are the first)
  std::string flags = "00";
  std::string header() const { return "00-" + id + '-' + span + '-' + flags; }  ///< traceparent, for what we call
};

/// Ours, as the child of `traceparent`; a new trace if that is empty or not as the standard says.
Trace begin_trace(std::string_view traceparent);

}  // namespace madang
