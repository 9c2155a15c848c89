// Base64 (RFC 4648, section 4) as vocabularies and APIs write bytes. Read: padding may be left out; any other character
// is refused. Written: with padding.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace madang {

/// Throws Kind::format at `place`.
inline std::string decode_base64(std::string_view text, const std::string& place) {
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (char c : text) {
    int v = c >= 'A' && c <= 'Z'   ? c - 'A'
            : c >= 'a' && c <= 'z' ? c - 'a' + 26
            : c >= '0' && c <= '9' ? c - '0' + 52
            : c == '+'             ? 62
            : c == '/'             ? 63
                                   : -1;
    if (v < 0) throw Error(Kind::format, say("not base64")).at(place).found(std::string(text.substr(0, 80)));
    bits = bits << 6 | static_cast<uint32_t>(v);
    if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8) & 0xFF);
  }
  return out;
}

inline std::string encode_base64(std::string_view bytes) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t bits = 0;
    const size_t have = bytes.size() - at < 3 ? bytes.size() - at : 3;
    for (size_t i = 0; i < 3; ++i) bits = bits << 8 | (i < have ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i) out += i <= have ? letters[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

}  // namespace madang
