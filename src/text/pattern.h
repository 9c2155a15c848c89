// A regular expression of a tokenizer file, run by PCRE2 with JIT over valid UTF-8, with Unicode properties.
// Tokenizers were made with two other engines; what PCRE2 reads differently is put right here:
//   oniguruma (tokenizer.json): ^ and $ match at every line; \s is White_Space
//   rust      (tiktoken):       $ matches only at the very end; \s is White_Space
// Refuses (Kind::format) what PCRE2 cannot compile, and (Kind::limit) a match that backtracks without end.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;

namespace madang {

enum class Dialect { oniguruma, rust };

class Pattern {
 public:
  Pattern(const std::string& expression, Dialect dialect, const std::string& where);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  /// Where a match lies; begin == npos: there is none.
  struct Match {
    size_t begin = std::string_view::npos, end = std::string_view::npos;
    bool found() const { return begin != std::string_view::npos; }
  };
  /// What one search at a time writes on; each thread has its own.
  class Scratch {
   public:
    Scratch() = default;
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

   private:
    friend class Pattern;
    pcre2_real_match_data_8* data_ = nullptr;
  };

  /// The first match that is not empty, from `from` on.
  Match find(std::string_view text, size_t from, Scratch& scratch) const;
  const std::string& expression() const { return expression_; }

 private:
  std::string expression_, where_;
  pcre2_real_code_8* code_ = nullptr;
};

/// A literal as an expression.
std::string quote_pattern(std::string_view literal);

}  // namespace madang
