// ASCII letters in lower case: names of headers, hosts and schemes, which know no other case. Not for text.
#pragma once
#include <string>
#include <string_view>

namespace madang {

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace madang
