#include "serve/api/named_events.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <chrono>

#include "base/error.h"

namespace madang {

std::string new_id(std::string_view prefix) {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Error(Kind::internal, say("the system gives no random numbers"));
  std::string id(prefix);
  for (unsigned char b : bytes) id += fmt::format("{:02x}", b);
  return id;
}

int64_t now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string json_text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string named_event(const Json& data) {
  return fmt::format("event: {}\ndata: {}\n\n", data.at("type").get_ref<const std::string&>(), json_text(data));
}

Problem current_problem() {
  try {
    throw;
  } catch (const Problem& problem) {
    return problem;
  } catch (const Error& error) {
    return Problem(error);
  }
}

}  // namespace madang
