// Source to tree. Names are not resolved yet: scope.h does that.
#pragma once
#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace madang::jinja {

/// Throws Kind::format (with template name and line) for anything that is not Jinja, Kind::limit for nesting beyond
/// 100 levels or expressions deeper than 400.
Program parse(std::string_view source, const std::string& name);

/// The tokens being read, shared by the two halves of the parser.
class TokenReader {
 public:
  TokenReader(std::vector<Token> tokens, const std::string& template_name)
      : tokens_(std::move(tokens)), name_(template_name) {}

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool at(Token::Type type) const { return now().type == type; }
  bool at_op(std::string_view symbol) const { return now().is_op(symbol); }
  bool at_name(std::string_view word) const { return now().is_name(word); }
  bool skip_op(std::string_view symbol);
  bool skip_name(std::string_view word);
  void expect_op(std::string_view symbol);
  void expect_name(std::string_view word);
  void expect(Token::Type type);
  Token expect_any_name();
  [[noreturn]] void fail(Text what, int line = 0, Kind kind = Kind::format) const;
  [[noreturn]] void unexpected() const;

  int depth = 0;  // nesting of what is being parsed

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
  const std::string& name_;
};

/// One level of nesting in the parser.
struct Nesting {
  explicit Nesting(TokenReader& r);
  ~Nesting() { --reader.depth; }
  Nesting(const Nesting&) = delete;
  TokenReader& reader;
};

/// Expressions, by descending precedence.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenReader& reader) : in_(reader) {}

  ExprPtr expression();  // with `a if b else c`
  ExprPtr without_conditional() { return disjunction(); }
  ExprPtr tuple(bool conditionals = true);  // an expression, or several with commas
  ExprPtr target(bool with_namespace);      // what can be assigned to
  ExprPtr name_target();
  ExprPtr filters(ExprPtr on);  // | a | b(1)
  ExprPtr inline_filter();      // {% filter a | b %}

 private:
  ExprPtr disjunction();
  ExprPtr conjunction();
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters = true);
  ExprPtr primary(bool with_namespace = false);
  ExprPtr name_or_constant(bool with_namespace);
  ExprPtr text();
  ExprPtr number();
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr on);
  ExprPtr filters_and_tests(ExprPtr on);
  ExprPtr one_filter(ExprPtr on);
  ExprPtr test(ExprPtr on);
  ExprPtr subscript(ExprPtr on);
  ExprPtr bracketed(ExprPtr on, int line);
  ExprPtr call(ExprPtr on);
  std::unique_ptr<CallArguments> arguments();
  ExprPtr tuple_of(std::vector<ExprPtr> items, int line);
  bool at_tuple_end() const;
  std::string dotted_name();

  ExprPtr make(Expr::Op op, int line, std::string name = "") const;
  ExprPtr finish(ExprPtr e) const;  // settles the depth, and refuses what is too deep

  template <class... Parts>
  ExprPtr with_parts(Expr::Op op, int line, Parts... parts) {
    auto e = make(op, line);
    (e->parts.push_back(std::move(parts)), ...);
    return finish(std::move(e));
  }

  TokenReader& in_;
};

}  // namespace madang::jinja
