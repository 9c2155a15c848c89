// Cuts a text into the pieces ("words") that a byte-level vocabulary encodes one by one: every match of an
// expression is a piece, and so is what lies between two matches. The few expressions that most models share have
// matchers written by hand (five to ten times the speed of PCRE2's machine code); any other runs in PCRE2, which is
// also their meaning: tests/text/tokenizer_split_test.cpp holds each against it on random text.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pattern.h"

namespace madang {

class Splitter {
 public:
  virtual ~Splitter() = default;
  /// The end of the piece that begins at `at`. Needs valid UTF-8 and at < text.size().
  virtual size_t next(std::string_view text, size_t at, Pattern::Scratch& scratch) const = 0;
};

std::unique_ptr<Splitter> make_splitter(const std::string& expression, Dialect dialect, const std::string& where);
/// The same through PCRE2 whatever the expression.
std::unique_ptr<Splitter> make_pattern_splitter(const std::string& expression, Dialect dialect,
                                                const std::string& where);

/// The expressions that have matchers of their own.
std::vector<std::string> handmade_expressions();

/// GPT-2's expression: what "ByteLevel" of tokenizer.json splits by.
extern const char* const gpt2_expression;

}  // namespace madang
