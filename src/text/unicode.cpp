#include "text/unicode.h"

#include <algorithm>
#include <array>

namespace madang {
namespace {

// How a character may begin: bytes in all, and the range of its second byte (no overlong forms, no surrogates,
// nothing past U+10FFFF): Unicode 15, table 3-7.
struct Lead {
  uint32_t size;
  uint8_t low, high;
};

Lead lead_of(uint8_t b) {
  if (b < 0x80) return {1, 0, 0};
  if (b < 0xC2) return {0, 0, 0};
  if (b < 0xE0) return {2, 0x80, 0xBF};
  if (b < 0xF0)
    return {3, static_cast<uint8_t>(b == 0xE0 ? 0xA0 : 0x80), static_cast<uint8_t>(b == 0xED ? 0x9F : 0xBF)};
  if (b < 0xF5)
    return {4, static_cast<uint8_t>(b == 0xF0 ? 0x90 : 0x80), static_cast<uint8_t>(b == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

// Bytes of the longest start of a character at `at`, and whether it is whole. A byte that starts none counts 1.
struct Start {
  size_t size;
  bool whole;
};

Start start_at(std::string_view s, size_t at) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(s[i]); };
  Lead lead = lead_of(byte(at));
  if (lead.size <= 1) return {1, lead.size == 1};
  size_t n = 1;
  while (n < lead.size && at + n < s.size()) {
    uint8_t low = n == 1 ? lead.low : 0x80, high = n == 1 ? lead.high : 0xBF;
    if (byte(at + n) < low || byte(at + n) > high) break;
    ++n;
  }
  return {n, n == lead.size};
}

// Text is mostly ASCII or mostly not; eight bytes at a time pass over the former.
size_t skip_ascii(std::string_view s, size_t at) {
  uint64_t eight;
  while (at + 8 <= s.size()) {
    std::copy_n(s.data() + at, 8, reinterpret_cast<char*>(&eight));
    if (eight & 0x8080808080808080u) break;
    at += 8;
  }
  return at;
}

struct Alphabet {
  std::array<char32_t, 256> letter;
  std::array<int16_t, 512> byte;  // all letters lie below U+0144
  Alphabet() {
    byte.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      letter[b] = printable ? static_cast<char32_t>(b) : next++;
      byte[letter[b]] = static_cast<int16_t>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet table;
  return table;
}

}  // namespace

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string to_utf8(char32_t value) {
  std::string out;
  append_utf8(out, value);
  return out;
}

bool is_valid_utf8(std::string_view s) {
  for (size_t at = skip_ascii(s, 0); at < s.size();) {
    Start start = start_at(s, at);
    if (!start.whole) return false;
    at += start.size;
    if (at < s.size() && static_cast<uint8_t>(s[at]) < 0x80) at = skip_ascii(s, at);
  }
  return true;
}

std::string repair_utf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t at = 0; at < s.size();) {
    Start start = start_at(s, at);
    if (start.whole)
      out.append(s, at, start.size);
    else
      out += "\xEF\xBF\xBD";
    at += start.size;
  }
  return out;
}

size_t unfinished_utf8(std::string_view s) {
  for (size_t back = 1; back <= 3 && back <= s.size(); ++back) {
    size_t at = s.size() - back;
    if ((static_cast<uint8_t>(s[at]) & 0xC0) == 0x80) continue;
    Start start = start_at(s, at);
    return !start.whole && start.size == back && lead_of(static_cast<uint8_t>(s[at])).size > 1 ? back : 0;
  }
  return 0;
}

char32_t letter_of_byte(uint8_t byte) { return alphabet().letter[byte]; }

int byte_of_letter(char32_t letter) { return letter < 512 ? alphabet().byte[letter] : -1; }

bool bytes_of_letters(std::string_view letters, std::string& bytes) {
  bytes.clear();
  for (size_t at = 0; at < letters.size();) {
    CodePoint c = code_point(letters, at);
    int byte = byte_of_letter(c.value);
    if (byte < 0) return false;
    bytes += static_cast<char>(byte);
    at += c.size;
  }
  return true;
}

std::string letters_of_bytes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char b : bytes) append_utf8(out, letter_of_byte(static_cast<uint8_t>(b)));
  return out;
}

}  // namespace madang
