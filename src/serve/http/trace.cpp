#include "serve/http/trace.h"

#include <openssl/rand.h>

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace madang {
namespace {

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) { return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos; }

// Section 2.2: "00-TRACE-PARENT-FLAGS"; a later version may have more behind another dash, version ff is none.
bool is_traceparent(std::string_view text) {
  constexpr size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  if (!is_hex(version) || version == "ff" || !is_hex(text.substr(53, 2))) return false;
  if (text.size() > size && (version == "00" || text[size] != '-')) return false;
  return is_id(text.substr(3, 32)) && is_id(text.substr(36, 16));
}

}  // namespace

std::string random_hex(size_t bytes) {
  std::vector<unsigned char> drawn(bytes);
  if (RAND_bytes(drawn.data(), static_cast<int>(bytes)) != 1)
    throw Error(Kind::io, say("the system gives no random numbers"));
  std::string out;
  for (unsigned char b : drawn) (out += "0123456789abcdef"[b >> 4]) += "0123456789abcdef"[b & 15];
  return out;
}

Trace begin_trace(std::string_view traceparent) {
  Trace trace;
  trace.span = random_hex(8);
  if (is_traceparent(traceparent)) {
    trace.id = traceparent.substr(3, 32);
    trace.parent = traceparent.substr(36, 16);
    trace.flags = traceparent.substr(53, 2);
  } else {
    trace.id = random_hex(16);
  }
  return trace;
}

}  // namespace madang
