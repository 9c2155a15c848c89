// What a request's first line asks for, taken apart: RFC 9112, section 3.2, and RFC 3986's percent signs.
// Refuses: what is no path, percent signs without two digits, the byte 0.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace madang {

struct Target {
  std::string path;                          ///< decoded
  std::vector<std::string> segments;         ///< of the path, split before decoding: %2F is a letter of a name
  std::map<std::string, std::string> query;  ///< the first of each name; "+" is a blank
};

/// Nothing for what is refused. "*" (OPTIONS) has the path "*".
std::optional<Target> parse_target(std::string_view text);

}  // namespace madang
