#include "text/splitter.h"

#include <array>

#include "text/unicode.h"

namespace madang {

const char* const gpt2_expression = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

// What the expressions tell apart. Cased letters matter to o200k alone; marks are `other` to the rest.
enum Class : uint8_t { upper = 1, lower = 2, both = 3, mark = 4, number = 5, space = 6, newline = 7, other = 8 };
constexpr bool letter(Class c) { return c <= both; }
constexpr bool blank(Class c) { return c == space || c == newline; }
constexpr bool symbol(Class c) { return c == other || c == mark; }

constexpr std::array<Class, 128> ascii_classes() {
  std::array<Class, 128> table{};
  for (int c = 0; c < 128; ++c) {
    if (c == '\r' || c == '\n')
      table[c] = newline;
    else if (c == ' ' || (c >= 9 && c <= 13))
      table[c] = space;
    else if (c >= '0' && c <= '9')
      table[c] = number;
    else if (c >= 'A' && c <= 'Z')
      table[c] = upper;
    else if (c >= 'a' && c <= 'z')
      table[c] = lower;
    else
      table[c] = other;
  }
  return table;
}
constexpr auto ascii = ascii_classes();

Class class_of(char32_t c) {
  if (is_space(c)) return space;
  uint32_t category = U_GET_GC_MASK(static_cast<UChar32>(c));
  if (category & (U_GC_LU_MASK | U_GC_LT_MASK)) return upper;
  if (category & U_GC_LL_MASK) return lower;
  if (category & U_GC_L_MASK) return both;
  if (category & U_GC_M_MASK) return mark;
  return category & U_GC_N_MASK ? number : other;
}

// A place in the text and the class of the character there.
struct Reader {
  std::string_view text;
  size_t at;
  Class kind = other;
  uint32_t size = 0;  // 0 at the end of the text

  Reader(std::string_view t, size_t start) : text(t), at(start) { look(); }
  void look() {
    if (at >= text.size()) {
      size = 0;
    } else if (auto b = static_cast<uint8_t>(text[at]); b < 0x80) {
      kind = ascii[b];
      size = 1;
    } else {
      CodePoint c = code_point(text, at);
      kind = class_of(c.value);
      size = c.size;
    }
  }
  bool end() const { return size == 0; }
  void step() {
    at += size;
    look();
  }
  template <class Is>
  void run(Is is) {
    while (!end() && is(kind)) step();
  }
};

// 's 't 'm 'd 're 've 'll after the apostrophe at `at`; the end, or 0. Without case, U+017F is an s to Unicode.
size_t contraction(std::string_view text, size_t at, bool any_case) {
  if (at + 1 >= text.size() || text[at] != '\'') return 0;
  auto fold = [&](size_t i) {
    char c = i < text.size() ? text[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  char a = fold(at + 1), b = fold(at + 2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return at + 3;
  return any_case && text.substr(at + 1).starts_with("\u017F") ? at + 3 : 0;
}

// \s+(?!\S)|\s+ : a run of blanks leaves its last one to the word that follows.
size_t blanks(std::string_view text, size_t at, size_t end) {
  if (end == text.size()) return end;
  size_t last = previous(text, end);
  return last > at ? last : end;
}

class Gpt2Splitter final : public Splitter {
 public:
  size_t next(std::string_view text, size_t at, Pattern::Scratch&) const override {
    if (size_t end = contraction(text, at, false)) return end;
    Reader r(text, at);
    if (text[at] == ' ') {
      r.step();
      if (r.end() || blank(r.kind)) {
        r.run(blank);
        return blanks(text, at, r.at);
      }
    }
    if (letter(r.kind))
      r.run(letter);
    else if (r.kind == number)
      r.run([](Class c) { return c == number; });
    else if (symbol(r.kind))
      r.run(symbol);
    else {
      r.run(blank);
      return blanks(text, at, r.at);
    }
    return r.at;
  }
};

// What the descendants of cl100k differ in.
struct Style {
  int digits = 3;      // \p{N}{1,digits}
  bool cased = false;  // o200k: words end where capitals start anew, contractions hang on words
  bool slash = false;  // [\r\n/]* behind symbols
  bool tail = false;   // \s++$ first: blanks at the very end stay together
};

class ModernSplitter final : public Splitter {
 public:
  explicit ModernSplitter(Style style) : style_(style) {}

  size_t next(std::string_view text, size_t at, Pattern::Scratch&) const override {
    if (!style_.cased)
      if (size_t end = contraction(text, at, true)) return end;
    if (size_t end = style_.cased ? cased_word(text, at) : word(text, at)) return end;
    Reader r(text, at);
    if (r.kind == number) {
      for (int n = 0; n < style_.digits && !r.end() && r.kind == number; ++n) r.step();
      return r.at;
    }
    if (text[at] == ' ') {
      r.step();
      if (r.end() || !symbol(r.kind)) r = Reader(text, at);
    }
    if (symbol(r.kind)) {
      r.run(symbol);
      while (!r.end() && (r.kind == newline || (style_.slash && text[r.at] == '/'))) r.step();
      return r.at;
    }
    return white(text, r);
  }

 private:
  // [^\r\n\p{L}\p{N}]?\p{L}+
  static size_t word(std::string_view text, size_t at) {
    Reader r(text, at);
    if (!letter(r.kind)) {
      if (r.kind == number || r.kind == newline) return 0;
      r.step();
      if (r.end() || !letter(r.kind)) return 0;
    }
    r.run(letter);
    return r.at;
  }

  // \s*[\r\n]+|\s+(?!\S)|\s+
  size_t white(std::string_view text, Reader r) const {
    size_t at = r.at, line = 0;
    while (!r.end() && blank(r.kind)) {
      bool ends_line = r.kind == newline;
      r.step();
      if (ends_line) line = r.at;
    }
    if (style_.tail && r.end()) return r.at;
    return line ? line : blanks(text, at, r.at);
  }

  // o200k's two kinds of words: [^\r\n\p{L}\p{N}]?U*W+ , then the same with U+W*; U is any letter or mark that is
  // not lower, W any that is not upper. Letters without case, and marks, are both: U* gives them back to W+.
  size_t cased_word(std::string_view text, size_t at) const {
    Reader first(text, at);
    bool may_lead = !letter(first.kind) && first.kind != number && first.kind != newline;
    size_t behind = at + first.size;
    size_t end = 0;
    for (bool needs_lower : {true, false}) {
      if (may_lead) end = cased_run(text, behind, needs_lower);
      if (!end) end = cased_run(text, at, needs_lower);
      if (end) break;
    }
    if (!end) return 0;
    size_t hanging = contraction(text, end, true);
    return hanging ? hanging : end;
  }

  static size_t cased_run(std::string_view text, size_t at, bool needs_lower) {
    Reader r(text, at);
    size_t both_end = 0;  // behind the last character of the capitals' run that W takes too
    while (!r.end() && (r.kind == upper || r.kind == both || r.kind == mark)) {
      bool shared = r.kind != upper;
      r.step();
      if (shared) both_end = r.at;
    }
    size_t capitals_end = r.at;
    r.run([](Class c) { return c == lower || c == both || c == mark; });
    if (r.at > capitals_end && (needs_lower || capitals_end > at)) return r.at;
    if (needs_lower) return both_end;
    return capitals_end > at ? capitals_end : 0;
  }

  Style style_;
};

class PatternSplitter final : public Splitter {
 public:
  PatternSplitter(const std::string& expression, Dialect dialect, const std::string& where)
      : pattern_(expression, dialect, where) {}
  size_t next(std::string_view text, size_t at, Pattern::Scratch& scratch) const override {
    auto match = pattern_.find(text, at, scratch);
    if (!match.found()) return text.size();
    return match.begin > at ? match.begin : match.end;
  }

 private:
  Pattern pattern_;
};

struct Row {
  const char* expression;
  bool gpt2;
  Style style;
};

// Llama 3, Qwen 2, cl100k (as published, and as rewritten for possessive engines), o200k and Llama 4, Tekken.
const Row rows[] = {
    {gpt2_expression, true, {}},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false,
     {.digits = 3}},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false,
     {.digits = 1}},
    {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)",
     false,
     {.digits = 3, .tail = true}},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     false,
     {.digits = 3, .cased = true, .slash = true}},
};

}  // namespace

std::unique_ptr<Splitter> make_pattern_splitter(const std::string& expression, Dialect dialect,
                                                const std::string& where) {
  return std::make_unique<PatternSplitter>(expression, dialect, where);
}

std::unique_ptr<Splitter> make_splitter(const std::string& expression, Dialect dialect, const std::string& where) {
  for (const Row& row : rows) {
    // Only \s++$ reads differently in the two dialects.
    if (expression != row.expression || (row.style.tail && dialect != Dialect::rust)) continue;
    if (row.gpt2) return std::make_unique<Gpt2Splitter>();
    return std::make_unique<ModernSplitter>(row.style);
  }
  return make_pattern_splitter(expression, dialect, where);
}

std::vector<std::string> handmade_expressions() {
  std::vector<std::string> all;
  for (const Row& row : rows) all.push_back(row.expression);
  return all;
}

}  // namespace madang
