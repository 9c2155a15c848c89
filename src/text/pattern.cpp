#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include <pcre2.h>

#include <memory>

#include "base/error.h"

namespace madang {
namespace {

// \s of PCRE2 with Unicode properties is White_Space and U+180E (a horizontal space to Perl), its \w lacks marks and
// connectors: both are spelled out. Inside a class \S and \W stay PCRE2's own, which differ in those characters.
std::string with_unicode_classes(const std::string& expression) {
  constexpr std::string_view white = "\\p{Z}\\t-\\r\\x{85}", word = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}";
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < expression.size(); ++i) {
    char c = expression[i];
    if (c == '\\' && i + 1 < expression.size()) {
      char next = expression[++i];
      std::string_view set = next == 's' || next == 'S' ? white : word;
      bool positive = next == 's' || next == 'w', negative = next == 'S' || next == 'W';
      if (positive && in_class)
        out += set;
      else if (positive)
        out.append("[").append(set).append("]");
      else if (negative && !in_class)
        out.append("[^").append(set).append("]");
      else
        (out += c) += next;
      continue;
    }
    if (c == '[')
      in_class = true;
    else if (c == ']')
      in_class = false;
    out += c;
  }
  return out;
}

// Ten million steps: no sane pattern over a paragraph comes near, and it takes well under a second.
constexpr uint32_t most_steps = 10'000'000;

struct Limits {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 16 << 20, nullptr);
  Limits() {
    pcre2_set_match_limit(context, most_steps);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Limits() {
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

}  // namespace

Pattern::Pattern(const std::string& expression, Dialect dialect, const std::string& where)
    : expression_(expression), where_(where) {
  std::string spelled = with_unicode_classes(expression);
  std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  uint32_t options = PCRE2_UTF | PCRE2_UCP | (dialect == Dialect::oniguruma ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY);
  int fault = 0;
  size_t offset = 0;
  code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelled.data()), spelled.size(), options, &fault, &offset,
                        context.get());
  if (!code_) {
    char message[256] = {};
    pcre2_get_error_message(fault, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof message);
    throw Error(Kind::format, say("not a regular expression that madang can run: {}", message))
        .at(where)
        .found(expression);
  }
  pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);  // where it fails, the interpreter gives the same answers
}

Pattern::~Pattern() { pcre2_code_free(code_); }

Pattern::Scratch::~Scratch() { pcre2_match_data_free(data_); }

Pattern::Match Pattern::find(std::string_view text, size_t from, Scratch& scratch) const {
  if (!scratch.data_) scratch.data_ = pcre2_match_data_create(1, nullptr);
  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY;
  // Most matches need no more than the 32 KiB of machine stack that PCRE2 takes by itself.
  int answer = pcre2_match(code_, subject, text.size(), from, options, scratch.data_, nullptr);
  if (answer == PCRE2_ERROR_JIT_STACKLIMIT || answer == PCRE2_ERROR_MATCHLIMIT) {
    Limits limits;
    answer = pcre2_match(code_, subject, text.size(), from, options, scratch.data_, limits.context);
  }
  if (answer == PCRE2_ERROR_NOMATCH) return {};
  if (answer < 0)
    throw Error(Kind::limit, say("the pattern needs too many steps on this text")).at(where_).found(expression_);
  const size_t* at = pcre2_get_ovector_pointer(scratch.data_);
  return {at[0], at[1]};
}

std::string quote_pattern(std::string_view literal) {
  std::string out;
  for (char c : literal) {
    if (static_cast<uint8_t>(c) < 0x80 && !std::isalnum(static_cast<unsigned char>(c))) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace madang
