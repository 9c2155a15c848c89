#include "serve/api/listing.h"

#include <charconv>

#include "serve/problem.h"

namespace madang {

Window window_of(const HttpRequest& request, int64_t usual, int64_t most) {
  auto given = [&](const char* name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? std::string() : found->second;
  };
  Window window{usual, false, given("after")};
  if (const std::string limit = given("limit"); !limit.empty()) {
    const auto [end, fault] = std::from_chars(limit.data(), limit.data() + limit.size(), window.limit);
    if (fault != std::errc() || end != limit.data() + limit.size() || window.limit < 1 || window.limit > most)
      throw Problem(say("'{}' must be a number from {} to {}", "limit", 1, most), "limit", "invalid_value");
  }
  const std::string order = given("order");
  if (!order.empty() && order != "asc" && order != "desc")
    throw Problem(say("'{}' must be 'asc' or 'desc'", "order"), "order", "invalid_value");
  window.ascending = order == "asc";
  return window;
}

}  // namespace madang
