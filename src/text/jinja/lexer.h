// A template's source cut into tokens: text between tags as it will be printed, and the words inside tags.
// White space is settled here: trim_blocks, lstrip_blocks, the signs - and + in tags, the last newline.
// Jinja's documentation: "Whitespace Control", "Escaping" (raw), "Literals".
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace madang::jinja {

struct Token {
  enum class Type : uint8_t {
    data,
    block_begin,
    block_end,
    variable_begin,
    variable_end,
    name,
    string,   // text: unescaped
    integer,  // text: as written, without _
    real,
    op,
    end
  };
  Type type;
  int line;
  std::string text;

  bool is_op(std::string_view symbol) const { return type == Type::op && text == symbol; }
  bool is_name(std::string_view word) const { return type == Type::name && text == word; }
};

/// Ends with a token of type end. Throws Kind::format with the line; refuses text that is not UTF-8.
std::vector<Token> tokenize(std::string_view source, const std::string& template_name);

/// "chat_template.jinja, line 3", the way every place in a template is written.
std::string place_in_template(const std::string& template_name, int line);

}  // namespace madang::jinja
