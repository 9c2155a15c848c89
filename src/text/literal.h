// Python's string and bytes literals, as RWKV's vocabulary spells its tokens.
// Refuses (Kind::format) what is no literal.
#pragma once
#include <string>
#include <string_view>

namespace madang {

/// The inside of a literal. `text`: \x stands for a character, otherwise for a byte. Unknown escapes stay as they are.
std::string unescape(std::string_view inside, bool text);

/// As Python's repr() writes bytes: b'...', or b"..." where that saves escapes.
std::string bytes_literal(std::string_view bytes);

/// 'text', "text" or b'bytes'. Throws with `where`.
std::string parse_literal(std::string_view literal, const std::string& where);

}  // namespace madang
