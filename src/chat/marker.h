// Looking for markers in a text that is still coming: what may be one is held back. For reasoning.cpp and
// answer_reader.cpp.
#pragma once
#include <algorithm>
#include <string_view>

namespace madang {

constexpr std::string_view blanks = " \t\r\n";

inline bool blank(std::string_view text) { return text.find_first_not_of(blanks) == text.npos; }

/// How many bytes at the end of `text` begin `marker`, short of all of it.
inline size_t started(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n)
    if (text.ends_with(marker.substr(0, n))) return n;
  return 0;
}

}  // namespace madang
