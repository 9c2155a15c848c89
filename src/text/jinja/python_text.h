// Python's str over UTF-8: characters, white space, case, search, split. Positions are counted in characters.
// Python's documentation: "Text Sequence Type - str", "String Methods".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace madang::jinja {

/// Bytes of the character that begins with this byte of valid UTF-8.
inline size_t character_size(char first) {
  auto c = static_cast<unsigned char>(first);
  return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/// The character at `at`, which moves behind it.
char32_t next_character(std::string_view s, size_t& at);
void append_character(std::string& out, char32_t c);

size_t character_count(std::string_view s);
size_t character_count(const String& s);
std::u32string characters(std::string_view s);
std::string encode(std::u32string_view s);
/// The byte at which the n-th character begins (n at most the count).
size_t byte_of(const String& s, size_t n);
std::string character_at(const String& s, size_t n);

bool is_space(char32_t c);      // str.isspace
bool is_printable(char32_t c);  // str.isprintable
bool is_alpha(char32_t c);
bool is_digit(char32_t c);
bool is_decimal(char32_t c);
bool is_numeric(char32_t c);
inline bool is_alnum(char32_t c) { return is_alpha(c) || is_decimal(c) || is_digit(c) || is_numeric(c); }
int digit_value(char32_t c);  // 0 to 9 of a decimal digit of any script, or -1
bool is_identifier(std::string_view s);
bool is_identifier_part(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);

std::string upper(std::string_view s);
std::string lower(std::string_view s);
std::string casefold(std::string_view s);
std::string swapcase(std::string_view s);
std::string capitalize(std::string_view s);
std::string title(std::string_view s);
std::string title_character(char32_t c);

/// Bytes where `part` first (or last) occurs in s, or npos. Linear in the sum of both lengths.
size_t find_bytes(std::string_view s, std::string_view part, size_t from = 0);
size_t find_last_bytes(std::string_view s, std::string_view part);
size_t count_parts(std::string_view s, std::string_view part);

enum class Side { both, left, right };
std::string_view strip_space(std::string_view s, Side side = Side::both);
std::string_view strip(std::string_view s, std::string_view characters, Side side = Side::both);

constexpr size_t unlimited = static_cast<size_t>(-1);
std::vector<std::string_view> split(std::string_view s, std::string_view by, size_t most = unlimited);
std::vector<std::string_view> split_right(std::string_view s, std::string_view by, size_t most);
std::vector<std::string_view> split_space(std::string_view s, size_t most = unlimited);
std::vector<std::string_view> split_space_right(std::string_view s, size_t most);
std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends = false);

std::string replace(Runtime& rt, std::string_view s, std::string_view old, std::string_view fresh,
                    size_t most = unlimited);
std::string pad(Runtime& rt, std::string_view s, size_t width, std::string_view fill, Side text_at);
std::string reversed(std::string_view s);
std::string escape_html(Runtime& rt, std::string_view s);  // markupsafe.escape

}  // namespace madang::jinja
