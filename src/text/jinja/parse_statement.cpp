// Tags and what they enclose; the entry of the parser.
#include <algorithm>

#include "text/jinja/parser.h"
#include "text/jinja/python_text.h"

namespace madang::jinja {

using Tag = Statement::Tag;
using Type = Token::Type;

// --- Reading tokens --------------------------------------------------------------------------------------------

bool TokenReader::skip_op(std::string_view symbol) { return at_op(symbol) && (take(), true); }
bool TokenReader::skip_name(std::string_view word) { return at_name(word) && (take(), true); }

void TokenReader::fail(Text what, int line, Kind kind) const {
  throw Error(kind, std::move(what)).at(place_in_template(name_, line ? line : now().line));
}

void TokenReader::unexpected() const {
  switch (now().type) {
    case Type::end:
      fail(say("the template ends too early"));
    case Type::block_end:
      fail(say("unexpected end of a tag"));
    case Type::variable_end:
      fail(say("unexpected end of an expression"));
    default:
      fail(say("unexpected '{}'", now().text));
  }
}

void TokenReader::expect_op(std::string_view symbol) {
  if (!skip_op(symbol)) unexpected();
}
void TokenReader::expect_name(std::string_view word) {
  if (!skip_name(word)) unexpected();
}
void TokenReader::expect(Type type) {
  if (!at(type)) unexpected();
  take();
}
Token TokenReader::expect_any_name() {
  if (!at(Type::name)) unexpected();
  return take();
}

Nesting::Nesting(TokenReader& r) : reader(r) {
  constexpr int deepest = 200;  // two of these make one pair of parentheses
  if (++reader.depth > deepest) {
    --reader.depth;
    reader.fail(say("the template is nested too deeply"), 0, Kind::limit);
  }
}

// --- Statements ------------------------------------------------------------------------------------------------

namespace {

using Words = std::initializer_list<std::string_view>;
using StatementPtr = std::unique_ptr<Statement>;

class StatementParser {
 public:
  explicit StatementParser(TokenReader& reader) : in_(reader), expressions_(reader) {}

  // Text, expressions and tags up to one of the closing tags, which is left to be read.
  Body body(Words closing) {
    Nesting nesting(in_);
    Body all;
    while (!in_.at(Type::end)) {
      if (in_.at(Type::data) || in_.at(Type::variable_begin)) {
        output(all);
        continue;
      }
      in_.expect(Type::block_begin);
      if (std::any_of(closing.begin(), closing.end(), [&](auto word) { return in_.at_name(word); })) return all;
      all.push_back(statement());
      in_.expect(Type::block_end);
    }
    if (closing.size()) in_.fail(say("the template ends inside a block: '{}' is missing", *closing.begin()));
    return all;
  }

 private:
  using Parse = void (StatementParser::*)(Statement&);

  static StatementPtr make(Tag tag, int line) {
    auto s = std::make_unique<Statement>();
    s->tag = tag;
    s->line = line;
    return s;
  }

  // One run of text and {{ }} is one statement.
  void output(Body& all) {
    if (all.empty() || all.back()->tag != Tag::output) all.push_back(make(Tag::output, in_.now().line));
    auto& values = all.back()->values;
    auto token = in_.take();
    if (token.type == Type::data) {
      auto e = std::make_unique<Expr>();
      e->op = Expr::Op::data;
      e->line = token.line;
      e->constant = Value(std::move(token.text), true);
      values.push_back(std::move(e));
      return;
    }
    values.push_back(expressions_.tuple());
    in_.expect(Type::variable_end);
  }

  StatementPtr statement() {
    struct Keyword {
      std::string_view word;
      Tag tag;
      Parse parse;
    };
    static constexpr Keyword keywords[] = {
        {"for", Tag::for_, &StatementParser::for_},
        {"if", Tag::if_, &StatementParser::if_},
        {"set", Tag::set, &StatementParser::set},
        {"macro", Tag::macro, &StatementParser::macro},
        {"call", Tag::call, &StatementParser::call},
        {"generation", Tag::generation, &StatementParser::generation},
        {"filter", Tag::filter, &StatementParser::filter},
        {"with", Tag::with, &StatementParser::with},
        {"block", Tag::block, &StatementParser::block},
        {"print", Tag::output, &StatementParser::print},
        {"autoescape", Tag::autoescape, &StatementParser::autoescape},
        {"break", Tag::break_, &StatementParser::nothing},
        {"continue", Tag::continue_, &StatementParser::nothing},
        {"include", Tag::load, &StatementParser::include},
        {"extends", Tag::load, &StatementParser::extends},
        {"import", Tag::load, &StatementParser::import},
        {"from", Tag::load, &StatementParser::from},
    };
    auto token = in_.expect_any_name();
    auto found = std::find_if(std::begin(keywords), std::end(keywords), [&](auto& k) { return k.word == token.text; });
    if (found == std::end(keywords)) in_.fail(say("unknown tag '{}'", token.text), token.line);
    auto s = make(found->tag, token.line);
    s->name = token.text;
    (this->*found->parse)(*s);
    return s;
  }

  // The body of the tag being read: its end, then everything up to a closing tag.
  Body enclosed(Words closing) {
    in_.skip_op(":");
    in_.expect(Type::block_end);
    return body(closing);
  }
  Body enclosed_until(std::string_view closing) {
    Body all = enclosed({closing});
    in_.take();
    return all;
  }

  void for_(Statement& s) {
    s.target = expressions_.target(false);
    in_.expect_name("in");
    s.value = expressions_.tuple(false);
    if (in_.skip_name("if")) s.test = expressions_.expression();
    s.recursive = in_.skip_name("recursive");
    s.body = enclosed({"endfor", "else"});
    if (in_.take().text == "else") s.otherwise = enclosed_until("endfor");
  }

  void if_(Statement& s) {
    std::string word;
    do {
      s.values.push_back(expressions_.tuple(false));
      s.bodies.push_back(enclosed({"endif", "elif", "else"}));
      word = in_.take().text;
    } while (word == "elif");
    if (word == "else") s.otherwise = enclosed_until("endif");
  }

  void set(Statement& s) {
    s.target = expressions_.target(true);
    if (in_.skip_op("=")) {
      s.value = expressions_.tuple();
      return;
    }
    s.tag = Tag::set_block;
    if (in_.at_op("|")) s.value = expressions_.filters(nullptr);
    s.body = enclosed_until("endset");
  }

  void signature(Statement& s) {
    in_.expect_op("(");
    while (!in_.at_op(")")) {
      if (!s.parameters.empty()) in_.expect_op(",");
      Parameter p{expressions_.name_target()->name, nullptr};
      for (auto& other : s.parameters)
        if (other.name == p.name) in_.fail(say("the parameter '{}' is there twice", p.name));
      if (in_.skip_op("="))
        p.otherwise = expressions_.expression();
      else if (!s.parameters.empty() && s.parameters.back().otherwise)
        in_.fail(say("a parameter without a default follows one with a default"));
      s.parameters.push_back(std::move(p));
    }
    in_.take();
  }

  void macro(Statement& s) {
    s.name = expressions_.name_target()->name;
    signature(s);
    s.body = enclosed_until("endmacro");
  }

  void call(Statement& s) {
    if (in_.at_op("(")) signature(s);
    s.value = expressions_.expression();
    if (s.value->op != Expr::Op::call) in_.fail(say("a call block needs a call"), s.line);
    s.body = enclosed_until("endcall");
  }

  void generation(Statement& s) { s.body = enclosed_until("endgeneration"); }

  void filter(Statement& s) {
    s.value = expressions_.inline_filter();
    s.body = enclosed_until("endfilter");
  }

  void with(Statement& s) {
    while (!in_.at(Type::block_end)) {
      if (!s.targets.empty()) in_.expect_op(",");
      s.targets.push_back(expressions_.target(false));
      in_.expect_op("=");
      s.values.push_back(expressions_.expression());
    }
    s.body = enclosed_until("endwith");
  }

  void block(Statement& s) {
    s.name = in_.expect_any_name().text;
    s.scoped = in_.skip_name("scoped");
    s.required = in_.skip_name("required");
    s.body = enclosed_until("endblock");
    in_.skip_name(s.name);
  }

  void print(Statement& s) {
    while (!in_.at(Type::block_end)) {
      if (!s.values.empty()) in_.expect_op(",");
      s.values.push_back(expressions_.expression());
    }
  }

  void autoescape(Statement& s) {
    s.value = expressions_.expression();
    s.body = enclosed_until("endautoescape");
  }

  void nothing(Statement&) {}

  void extends(Statement& s) { s.value = expressions_.expression(); }

  bool context_words() {
    if (!(in_.at_name("with") || in_.at_name("without")) || !in_.ahead().is_name("context")) return false;
    in_.take(), in_.take();
    return true;
  }

  void include(Statement& s) {
    s.value = expressions_.expression();
    if (in_.at_name("ignore") && in_.ahead().is_name("missing")) in_.take(), in_.take();
    context_words();
  }

  void import(Statement& s) {
    s.value = expressions_.expression();
    in_.expect_name("as");
    s.targets.push_back(expressions_.name_target());
    context_words();
  }

  void from(Statement& s) {
    s.value = expressions_.expression();
    in_.expect_name("import");
    do {
      if (context_words()) return;
      s.targets.push_back(expressions_.name_target());
      if (in_.skip_name("as")) s.targets.back() = expressions_.name_target();
    } while (!context_words() && in_.skip_op(","));
  }

  TokenReader& in_;
  ExpressionParser expressions_;
};

}  // namespace

Program parse(std::string_view source, const std::string& name) {
  Program program;
  program.name = name;
  TokenReader reader(tokenize(source, name), program.name);
  program.body = StatementParser(reader).body({});
  return program;
}

}  // namespace madang::jinja
