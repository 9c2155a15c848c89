#include "serve/http/exchange.h"

#include <algorithm>

namespace madang {

std::string_view HttpRequest::header(std::string_view name) const {
  const auto found = std::ranges::find(headers, name, [](const auto& h) { return std::string_view(h.first); });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace madang
