// UTF-8 and the character properties that tokenizers ask for (properties: ICU).
// Refuses nothing: broken UTF-8 becomes U+FFFD, one for each maximal broken part (Unicode 15, section 3.9).
#pragma once
#include <unicode/uchar.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace madang {

struct CodePoint {
  char32_t value;
  uint32_t size;  // bytes
};

/// The character at `at` of text that is valid UTF-8. Needs at < text.size().
inline CodePoint code_point(std::string_view text, size_t at) {
  auto b = [&](size_t i) { return static_cast<char32_t>(static_cast<uint8_t>(text[at + i])); };
  char32_t lead = b(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (b(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (b(1) & 0x3F) << 6 | (b(2) & 0x3F), 3};
  return {(lead & 0x07) << 18 | (b(1) & 0x3F) << 12 | (b(2) & 0x3F) << 6 | (b(3) & 0x3F), 4};
}

/// Where the character before `at` begins. Needs at > 0 and valid UTF-8.
inline size_t previous(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
  return at;
}

/// How many characters valid UTF-8 has.
inline size_t characters(std::string_view text) {
  size_t n = 0;
  for (char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  return n;
}

void append_utf8(std::string& out, char32_t value);
std::string to_utf8(char32_t value);

bool is_valid_utf8(std::string_view bytes);
/// Copies, with U+FFFD for what is broken.
std::string repair_utf8(std::string_view bytes);
/// How many bytes at the end begin a character that more bytes could complete (0 to 3).
size_t unfinished_utf8(std::string_view bytes);

inline bool is_letter(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0; }
inline bool is_number(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_N_MASK) != 0; }
inline bool is_mark(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_M_MASK) != 0; }
/// The major version of Unicode that brought the character; 0 if none has.
inline int age_of(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0];
}
/// Unicode's White_Space, the `\s` of the engines that tokenizers were made with.
inline bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

/// GPT-2's alphabet: every byte has a printable letter (a blank is Ġ), so that vocabularies can be written as text.
char32_t letter_of_byte(uint8_t byte);
/// The byte of such a letter, or -1.
int byte_of_letter(char32_t letter);
/// Letters to bytes; false, and `bytes` unfinished, if a character is none of the 256 letters.
bool bytes_of_letters(std::string_view letters, std::string& bytes);
std::string letters_of_bytes(std::string_view bytes);

}  // namespace madang
