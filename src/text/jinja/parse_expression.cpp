// Expressions. The order of precedence is Jinja's own, which is not Python's: ~ binds tighter than +, and a unary
// minus tighter than **.
#include <algorithm>

#include "text/jinja/parser.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {

using Op = Expr::Op;
using Type = Token::Type;

ExprPtr ExpressionParser::make(Op op, int line, std::string name) const {
  auto e = std::make_unique<Expr>();
  e->op = op;
  e->line = line;
  e->name = std::move(name);
  return e;
}

ExprPtr ExpressionParser::finish(ExprPtr e) const {
  constexpr int deepest = 400;  // a + b + c ... is a tree as deep as it is long; Python's own compiler stops at 200
  auto see = [&](const ExprPtr& part) {
    if (part) e->depth = std::max(e->depth, part->depth + 1);
  };
  for (auto& part : e->parts) see(part);
  if (auto* a = e->arguments.get()) {
    for (auto& part : a->positional) see(part);
    for (auto& [key, part] : a->keyword) see(part);
    see(a->star);
    see(a->star_star);
  }
  if (e->depth > deepest) in_.fail(say("an expression is deeper than {} levels", deepest), e->line, Kind::limit);
  return e;
}

ExprPtr ExpressionParser::expression() {
  Nesting nesting(in_);
  int line = in_.now().line;
  auto left = disjunction();
  while (in_.skip_name("if")) {
    auto test = disjunction();
    ExprPtr otherwise = in_.skip_name("else") ? expression() : nullptr;
    left = with_parts(Op::conditional, line, std::move(left), std::move(test), std::move(otherwise));
  }
  return left;
}

ExprPtr ExpressionParser::disjunction() {
  int line = in_.now().line;
  auto left = conjunction();
  while (in_.skip_name("or")) left = with_parts(Op::or_, line, std::move(left), conjunction());
  return left;
}

ExprPtr ExpressionParser::conjunction() {
  int line = in_.now().line;
  auto left = negation();
  while (in_.skip_name("and")) left = with_parts(Op::and_, line, std::move(left), negation());
  return left;
}

ExprPtr ExpressionParser::negation() {
  int line = in_.now().line;
  if (!in_.skip_name("not")) return comparison();
  Nesting nesting(in_);
  return with_parts(Op::not_, line, negation());
}

ExprPtr ExpressionParser::comparison() {
  static constexpr std::pair<std::string_view, Comparison> symbols[] = {{"==", Comparison::eq}, {"!=", Comparison::ne},
                                                                        {"<", Comparison::lt},  {"<=", Comparison::le},
                                                                        {">", Comparison::gt},  {">=", Comparison::ge}};
  auto e = make(Op::compare, in_.now().line);
  e->parts.push_back(sum());
  while (true) {
    auto found = std::find_if(std::begin(symbols), std::end(symbols), [&](auto& s) { return in_.skip_op(s.first); });
    if (found != std::end(symbols)) {
      e->comparisons.push_back(found->second);
    } else if (in_.skip_name("in")) {
      e->comparisons.push_back(Comparison::in);
    } else if (in_.at_name("not") && in_.ahead().is_name("in")) {
      in_.take(), in_.take();
      e->comparisons.push_back(Comparison::not_in);
    } else {
      break;
    }
    e->parts.push_back(sum());
  }
  return e->comparisons.empty() ? std::move(e->parts[0]) : finish(std::move(e));
}

namespace {

template <size_t N>
const Operator* operator_of(const Token& token, const std::pair<std::string_view, Operator> (&symbols)[N]) {
  for (auto& [symbol, op] : symbols)
    if (token.is_op(symbol)) return &op;
  return nullptr;
}

}  // namespace

ExprPtr ExpressionParser::sum() {
  static constexpr std::pair<std::string_view, Operator> symbols[] = {{"+", Operator::add}, {"-", Operator::sub}};
  int line = in_.now().line;
  auto left = concatenation();
  while (auto* op = operator_of(in_.now(), symbols)) {
    in_.take();
    left = with_parts(Op::binary, line, std::move(left), concatenation());
    left->operation = *op;
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  auto e = make(Op::concat, in_.now().line);
  do e->parts.push_back(product());
  while (in_.skip_op("~"));
  return e->parts.size() == 1 ? std::move(e->parts[0]) : finish(std::move(e));
}

ExprPtr ExpressionParser::product() {
  static constexpr std::pair<std::string_view, Operator> symbols[] = {
      {"*", Operator::mul}, {"/", Operator::div}, {"//", Operator::floordiv}, {"%", Operator::mod}};
  int line = in_.now().line;
  auto left = power();
  while (auto* op = operator_of(in_.now(), symbols)) {
    in_.take();
    left = with_parts(Op::binary, line, std::move(left), power());
    left->operation = *op;
  }
  return left;
}

ExprPtr ExpressionParser::power() {
  int line = in_.now().line;
  auto left = unary();
  while (in_.skip_op("**")) {
    left = with_parts(Op::binary, line, std::move(left), unary());
    left->operation = Operator::pow;
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  Nesting nesting(in_);
  int line = in_.now().line;
  ExprPtr e;
  if (in_.skip_op("-"))
    e = with_parts(Op::negate, line, unary(false));
  else if (in_.skip_op("+"))
    e = with_parts(Op::positive, line, unary(false));
  else
    e = primary();
  e = postfix(std::move(e));
  return with_filters ? filters_and_tests(std::move(e)) : std::move(e);
}

// --- Literals and names ----------------------------------------------------------------------------------------

ExprPtr ExpressionParser::primary(bool with_namespace) {
  if (in_.at(Type::name)) return name_or_constant(with_namespace);
  if (in_.at(Type::string)) return text();
  if (in_.at(Type::integer) || in_.at(Type::real)) return number();
  if (in_.at_op("[")) return list();
  if (in_.at_op("{")) return dict();
  if (!in_.at_op("(")) in_.unexpected();
  int line = in_.take().line;
  auto e = in_.at_op(")") ? tuple_of({}, line) : tuple();
  in_.expect_op(")");
  return e;
}

ExprPtr ExpressionParser::name_or_constant(bool with_namespace) {
  auto token = in_.take();
  auto constant = [&](Value v) {
    auto e = make(Op::constant, token.line);
    e->constant = std::move(v);
    return e;
  };
  if (token.text == "true" || token.text == "True") return constant(true);
  if (token.text == "false" || token.text == "False") return constant(false);
  if (token.text == "none" || token.text == "None") return constant(None{});
  if (!with_namespace || !in_.skip_op(".")) return make(Op::name, token.line, token.text);
  auto owner = make(Op::name, token.line, token.text);
  auto e = make(Op::attribute_of_namespace, token.line, in_.expect_any_name().text);
  e->parts.push_back(std::move(owner));
  return e;
}

ExprPtr ExpressionParser::text() {
  auto e = make(Op::constant, in_.now().line);
  std::string all;
  while (in_.at(Type::string)) all += in_.take().text;
  e->constant = Value(std::move(all));
  return e;
}

ExprPtr ExpressionParser::number() {
  auto token = in_.take();
  auto e = make(Op::constant, token.line);
  if (token.type == Type::real) {
    e->constant = Value(std::strtod(token.text.c_str(), nullptr));
    return e;
  }
  if (token.text.size() > 4300) in_.fail(say("an integer has more than {} digits", 4300), token.line);
  // GMP reads the prefixes 0x and 0b by itself, but a bare 0 or 0o as octal.
  bool octal = token.text.starts_with("0o") || token.text.starts_with("0O");
  bool prefixed = token.text.size() > 1 && token.text[0] == '0' && !is_digit(static_cast<unsigned char>(token.text[1]));
  e->constant = make_integer(octal ? mpz_class(token.text.substr(2), 8) : mpz_class(token.text, prefixed ? 0 : 10));
  return e;
}

ExprPtr ExpressionParser::list() {
  auto e = make(Op::list, in_.take().line);
  while (!in_.at_op("]")) {
    if (!e->parts.empty()) in_.expect_op(",");
    if (in_.at_op("]")) break;
    e->parts.push_back(expression());
  }
  in_.expect_op("]");
  return finish(std::move(e));
}

ExprPtr ExpressionParser::dict() {
  auto e = make(Op::dict, in_.take().line);
  while (!in_.at_op("}")) {
    if (!e->parts.empty()) in_.expect_op(",");
    if (in_.at_op("}")) break;
    e->parts.push_back(expression());
    in_.expect_op(":");
    e->parts.push_back(expression());
  }
  in_.expect_op("}");
  return finish(std::move(e));
}

ExprPtr ExpressionParser::tuple_of(std::vector<ExprPtr> items, int line) {
  auto e = make(Op::tuple, line);
  e->parts = std::move(items);
  return finish(std::move(e));
}

bool ExpressionParser::at_tuple_end() const {
  return in_.at(Type::variable_end) || in_.at(Type::block_end) || in_.at_op(")");
}

ExprPtr ExpressionParser::tuple(bool conditionals) {
  int line = in_.now().line;
  std::vector<ExprPtr> items;
  bool several = false;
  while (true) {
    if (!items.empty()) in_.expect_op(",");
    if (at_tuple_end()) break;
    items.push_back(conditionals ? expression() : without_conditional());
    if (!in_.at_op(",")) break;
    several = true;
  }
  if (several) return tuple_of(std::move(items), line);
  if (items.empty()) in_.unexpected();
  return std::move(items[0]);
}

// --- Targets ---------------------------------------------------------------------------------------------------

namespace {

bool assignable(const Expr& e) {
  if (e.op == Op::tuple) return std::all_of(e.parts.begin(), e.parts.end(), [](auto& p) { return assignable(*p); });
  return e.op == Op::name || e.op == Op::attribute_of_namespace;
}

}  // namespace

ExprPtr ExpressionParser::target(bool with_namespace) {
  int line = in_.now().line;
  std::vector<ExprPtr> items;
  bool several = false;
  while (true) {
    if (!items.empty()) in_.expect_op(",");
    if (at_tuple_end()) break;
    items.push_back(primary(with_namespace));
    if (!in_.at_op(",")) break;
    several = true;
  }
  if (items.empty()) in_.unexpected();
  auto e = several ? tuple_of(std::move(items), line) : std::move(items[0]);
  if (!assignable(*e)) in_.fail(say("this cannot be assigned to"), line);
  return e;
}

ExprPtr ExpressionParser::name_target() {
  auto token = in_.expect_any_name();
  static constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(constants), std::end(constants), token.text) != std::end(constants))
    in_.fail(say("this cannot be assigned to"), token.line);
  return make(Op::name, token.line, token.text);
}

// --- What follows a value --------------------------------------------------------------------------------------

ExprPtr ExpressionParser::postfix(ExprPtr on) {
  while (true) {
    if (in_.at_op(".") || in_.at_op("["))
      on = subscript(std::move(on));
    else if (in_.at_op("("))
      on = call(std::move(on));
    else
      return on;
  }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr on) {
  while (true) {
    if (in_.at_op("|"))
      on = filters(std::move(on));
    else if (in_.at_name("is"))
      on = test(std::move(on));
    else if (in_.at_op("("))
      on = call(std::move(on));
    else
      return on;
  }
}

ExprPtr ExpressionParser::filters(ExprPtr on) {
  while (in_.skip_op("|")) on = one_filter(std::move(on));
  return on;
}

ExprPtr ExpressionParser::inline_filter() { return filters(one_filter(nullptr)); }

std::string ExpressionParser::dotted_name() {
  std::string name = in_.expect_any_name().text;
  while (in_.skip_op(".")) name += "." + in_.expect_any_name().text;
  return name;
}

ExprPtr ExpressionParser::one_filter(ExprPtr on) {
  auto e = make(Op::filter, in_.now().line);
  e->name = dotted_name();
  e->parts.push_back(std::move(on));
  e->arguments = in_.at_op("(") ? arguments() : std::make_unique<CallArguments>();
  return finish(std::move(e));
}

ExprPtr ExpressionParser::test(ExprPtr on) {
  int line = in_.take().line;
  bool negated = in_.skip_name("not");
  auto e = make(Op::test, line);
  e->name = dotted_name();
  e->parts.push_back(std::move(on));
  e->arguments = std::make_unique<CallArguments>();
  bool ends = in_.at_name("else") || in_.at_name("or") || in_.at_name("and");
  if (in_.at_op("(")) {
    e->arguments = arguments();
  } else if (!ends && (in_.at(Type::name) || in_.at(Type::string) || in_.at(Type::integer) || in_.at(Type::real) ||
                       in_.at_op("[") || in_.at_op("{"))) {
    if (in_.at_name("is")) in_.fail(say("tests cannot be chained with 'is'"));
    e->arguments->positional.push_back(postfix(primary()));
  }
  e = finish(std::move(e));
  return negated ? with_parts(Op::not_, line, std::move(e)) : std::move(e);
}

ExprPtr ExpressionParser::subscript(ExprPtr on) {
  auto token = in_.take();
  if (token.text == "[") return bracketed(std::move(on), token.line);
  if (in_.at(Type::integer)) return with_parts(Op::item, token.line, std::move(on), number());
  auto e = make(Op::attribute, token.line, in_.expect_any_name().text);
  e->parts.push_back(std::move(on));
  return finish(std::move(e));
}

ExprPtr ExpressionParser::bracketed(ExprPtr on, int line) {
  auto part = [&]() -> ExprPtr { return in_.at_op(":") || in_.at_op("]") || in_.at_op(",") ? nullptr : expression(); };
  if (in_.at_op("]")) {  // v[] asks for the key ()
    in_.take();
    return with_parts(Op::item, line, std::move(on), tuple_of({}, line));
  }
  auto first = part();
  if (in_.skip_op(":")) {
    auto stop = part();
    ExprPtr step = in_.skip_op(":") ? part() : nullptr;
    in_.expect_op("]");
    return with_parts(Op::slice, line, std::move(on), std::move(first), std::move(stop), std::move(step));
  }
  if (!first) in_.unexpected();
  if (in_.at_op(",")) {
    std::vector<ExprPtr> keys;
    keys.push_back(std::move(first));
    while (in_.skip_op(","))
      if (!in_.at_op("]")) keys.push_back(expression());
    first = tuple_of(std::move(keys), line);
  }
  in_.expect_op("]");
  return with_parts(Op::item, line, std::move(on), std::move(first));
}

ExprPtr ExpressionParser::call(ExprPtr on) {
  auto e = make(Op::call, in_.now().line);
  e->parts.push_back(std::move(on));
  e->arguments = arguments();
  return finish(std::move(e));
}

std::unique_ptr<CallArguments> ExpressionParser::arguments() {
  auto a = std::make_unique<CallArguments>();
  int line = in_.now().line;
  auto ensure = [&](bool ok) {
    if (!ok) in_.fail(say("the arguments of a call are out of order"), line);
  };
  in_.expect_op("(");
  for (bool first = true; !in_.at_op(")"); first = false) {
    if (!first) {
      in_.expect_op(",");
      if (in_.at_op(")")) break;
    }
    if (in_.skip_op("*")) {
      ensure(!a->star && !a->star_star);
      a->star = expression();
    } else if (in_.skip_op("**")) {
      ensure(!a->star_star);
      a->star_star = expression();
    } else if (in_.at(Type::name) && in_.ahead().is_op("=")) {
      ensure(!a->star_star);
      std::string key = in_.take().text;
      in_.take();
      for (auto& [other, value] : a->keyword)
        if (other == key) in_.fail(say("the argument '{}' is given twice", key), line);
      a->keyword.emplace_back(std::move(key), expression());
    } else {
      ensure(!a->star && !a->star_star && a->keyword.empty());
      a->positional.push_back(expression());
    }
  }
  in_.expect_op(")");
  return a;
}

}  // namespace madang::jinja
