#include "serve/http/target.h"

#include <algorithm>

namespace madang {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i] == '+' && plus_is_blank ? ' ' : text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1, low = high < 0 ? -1 : digit_of(text[i + 2]);
      if (low < 0) return {};
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') return {};
    out += c;
  }
  return out;
}

template <class Each>
bool split(std::string_view text, char by, Each each) {
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(by, at), text.size());
    if (!each(text.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

// "http://host/path" is what proxies are asked; a server has to take it too.
std::string_view without_origin(std::string_view text) {
  const size_t scheme = text.find("://");
  if (text.starts_with('/') || scheme == std::string_view::npos || scheme > 5) return text;
  const size_t path = text.find('/', scheme + 3);
  return path == std::string_view::npos ? "/" : text.substr(path);
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
  Target target;
  if (text == "*") {
    target.path = "*";
    return target;
  }
  text = without_origin(text);
  if (!text.starts_with('/')) return {};
  const size_t mark = std::min(text.find('?'), text.size());
  const bool good = split(text.substr(1, mark - 1), '/', [&](std::string_view part) {
    auto segment = decoded(part, false);
    if (!segment) return false;
    target.path += '/' + *segment;
    target.segments.push_back(std::move(*segment));
    return true;
  });
  if (!good) return {};
  if (mark == text.size()) return target;
  const bool queried = split(text.substr(mark + 1), '&', [&](std::string_view part) {
    const size_t equals = std::min(part.find('='), part.size());
    auto name = decoded(part.substr(0, equals), true);
    auto value = decoded(part.substr(std::min(equals + 1, part.size())), true);
    if (!name || !value) return false;
    if (!part.empty()) target.query.emplace(std::move(*name), std::move(*value));
    return true;
  });
  return queried ? std::optional(std::move(target)) : std::nullopt;
}

}  // namespace madang
