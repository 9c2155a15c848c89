// Giving every name its place, and refusing what Jinja refuses before a template runs.
#include "text/jinja/lexer.h"
#include "text/jinja/scope.h"
#include "text/jinja/tables.h"

namespace madang::jinja {
namespace {

using Op = Expr::Op;
using Tag = Statement::Tag;

// Where a statement stands.
struct Context {
  Symbols& symbols;
  bool soft = false;       // in a branch of an if: unknown filters and tests are refused only when they run
  bool in_loop = false;    // break and continue are allowed
  bool top_level = false;  // what is set here is seen by blocks

  Context inner(Symbols& own) const { return {own, false, in_loop, false}; }
  Context function(Symbols& own) const { return {own, false, false, false}; }
};

class Resolver {
 public:
  explicit Resolver(Program& program) : program_(program) {}

  void run() {
    collect_blocks(program_.body);
    Symbols root;
    if (reads(program_.body, "self")) root.declare_parameter("self");
    note(root, program_.body);
    body(program_.body, {root, false, false, true});
    program_.scope = root.layout();
    if (root.knows("self") && reads(program_.body, "self")) program_.self_slot = root.slot("self");
  }

 private:
  [[noreturn]] void fail(Text what, int line) const {
    throw Error(Kind::format, std::move(what)).at(place_in_template(program_.name, line));
  }

  void collect_blocks(Body& all) {
    for (auto& s : all) {
      if (s->tag == Tag::block) {
        if (!program_.blocks.emplace(s->name, s.get()).second)
          fail(say("the block '{}' is there twice", s->name), s->line);
      }
      for (auto& branch : s->bodies) collect_blocks(branch);
      collect_blocks(s->body);
      collect_blocks(s->otherwise);
    }
  }

  // --- Expressions ---------------------------------------------------------------------------------------------

  void expression(Expr* e, const Context& c) {
    if (!e) return;
    if (e->op == Op::name) e->place = place(*e, c);
    Context inside = c;
    inside.soft |= e->op == Op::conditional;
    if (e->op == Op::filter && !c.soft && !filter_named(e->name))
      fail(say("no filter is named '{}'", e->name), e->line);
    if (e->op == Op::test && !c.soft && !test_named(e->name)) fail(say("no test is named '{}'", e->name), e->line);
    for (auto& part : e->parts) expression(part.get(), inside);
    if (!e->arguments) return;
    for (auto& part : e->arguments->positional) expression(part.get(), inside);
    for (auto& [key, part] : e->arguments->keyword) expression(part.get(), inside);
    expression(e->arguments->star.get(), inside);
    expression(e->arguments->star_star.get(), inside);
  }

  Place place(const Expr& name, const Context& c) {
    // Only the filter of {% set x | f(name) %} can meet this: Jinja does not look for names there either.
    if (!c.symbols.owner(name.name)) fail(say("the name '{}' is unknown here", name.name), name.line);
    return c.symbols.place(name.name);
  }

  // --- Statements ----------------------------------------------------------------------------------------------

  void body(Body& all, const Context& c) {
    for (auto& s : all) statement(*s, c);
  }

  void statement(Statement& s, const Context& c) {
    s.top_level = c.top_level;
    switch (s.tag) {
      case Tag::for_:
        return loop(s, c);
      case Tag::if_:
        return branches(s, c);
      case Tag::macro: {
        function(s, c);
        s.place = c.symbols.place(s.name);
        return;
      }
      case Tag::call:
        expression(s.value.get(), c);
        return function(s, c);
      case Tag::generation:
        return function(s, c);
      case Tag::set:
        expression(s.value.get(), c);
        return expression(s.target.get(), c);
      case Tag::set_block: {
        expression(s.target.get(), c);
        Symbols own(&c.symbols);
        note(own, s.body);
        return scoped(s, own, c, s.value.get());
      }
      case Tag::filter:
      case Tag::autoescape: {
        Symbols own(&c.symbols);
        if (s.tag == Tag::autoescape) note(own, s.value.get());
        note(own, s.body);
        if (s.tag == Tag::filter) note(own, s.value.get());
        return scoped(s, own, c, s.value.get());
      }
      case Tag::with:
        return with(s, c);
      case Tag::break_:
      case Tag::continue_:
        if (!c.in_loop) fail(say("'{}' stands outside a loop", s.name), s.line);
        return;
      case Tag::load:
        if (s.name == "extends" && !c.top_level) fail(say("extends must stand at the top of a template"), s.line);
        return expression(s.value.get(), c);
      case Tag::output:
        for (auto& value : s.values) expression(value.get(), c);
        return;
      case Tag::block: {
        // A scoped block sees what surrounds it, the others only the template's own variables.
        Symbols own(s.scoped ? &c.symbols : nullptr);
        note(own, s.body);
        body(s.body, c.function(own));
        s.scope = own.layout();
        return;
      }
    }
  }

  // A body with a scope of its own, and an expression that is evaluated in it.
  void scoped(Statement& s, Symbols& own, const Context& c, Expr* value) {
    expression(value, c.inner(own));
    body(s.body, c.inner(own));
    s.scope = own.layout();
  }

  void with(Statement& s, const Context& c) {
    for (auto& value : s.values) expression(value.get(), c);
    Symbols own(&c.symbols);
    for (auto& target : s.targets) note_target(own, *target, true);
    note(own, s.body);
    for (auto& target : s.targets) expression(target.get(), c.inner(own));
    scoped(s, own, c, nullptr);
  }

  void branches(Statement& s, Context c) {
    c.soft = true;
    for (auto& test : s.values) expression(test.get(), c);
    for (auto& branch : s.bodies) body(branch, c);
    body(s.otherwise, c);
  }

  void loop(Statement& s, const Context& c) {
    refuse_setting_loop(s);
    expression(s.value.get(), c);
    Symbols own(&c.symbols), tested(&c.symbols), otherwise(&c.symbols);
    own.declare_parameter("loop");
    note_target(own, *s.target, true);
    note(own, s.body);
    note_target(tested, *s.target, true);
    note(tested, s.test.get());
    note(otherwise, s.otherwise);
    Context inside = c.inner(own), outside = c.inner(otherwise);
    inside.in_loop = true;
    if (s.recursive) outside.in_loop = false;
    expression(s.target.get(), inside);
    body(s.body, inside);
    expression(s.test.get(), c.inner(tested));
    if (s.test) {
      s.test_target = copy_of_target(*s.target);
      expression(s.test_target.get(), c.inner(tested));
    }
    body(s.otherwise, outside);
    s.loop_slot = own.slot("loop");
    s.scope = own.layout();
    s.test_scope = tested.layout();
    s.otherwise_scope = otherwise.layout();
  }

  static ExprPtr copy_of_target(const Expr& target) {
    auto copy = std::make_unique<Expr>();
    copy->op = target.op;
    copy->line = target.line;
    copy->name = target.name;
    for (auto& part : target.parts) copy->parts.push_back(copy_of_target(*part));
    return copy;
  }

  // The body of a macro, or of a call block as its caller.
  void function(Statement& s, const Context& c) {
    Symbols own(&c.symbols);
    for (auto& p : s.parameters) own.declare_parameter(p.name);
    auto takes = [&](const char* name) {
      bool given = false;
      for (auto& p : s.parameters) given |= p.name == name;
      if (!reads(s.body, name) || given) return false;
      own.declare_parameter(name);
      return true;
    };
    check_explicit_caller(s);
    s.takes_caller = takes("caller");
    s.takes_kwargs = takes("kwargs");
    s.takes_varargs = takes("varargs");
    for (auto& p : s.parameters) note(own, p.otherwise.get());
    note(own, s.body);
    for (auto& p : s.parameters) {
      expression(p.otherwise.get(), c.function(own));
      p.slot = own.slot(p.name);
    }
    body(s.body, c.function(own));
    if (s.takes_caller) s.caller_slot = own.slot("caller");
    if (s.takes_kwargs) s.kwargs_slot = own.slot("kwargs");
    if (s.takes_varargs) s.varargs_slot = own.slot("varargs");
    s.scope = own.layout();
  }

  void check_explicit_caller(const Statement& s) const {
    for (auto& p : s.parameters)
      if (p.name == "caller" && !p.otherwise && reads(s.body, "caller"))
        fail(say("the parameter 'caller' needs a default"), s.line);
  }

  void refuse_setting_loop(const Statement& s) const {
    auto check = [&](const Expr* target) {
      if (target && sets_loop(*target)) fail(say("the variable 'loop' cannot be set inside a loop"), s.line);
    };
    check(s.target.get());
    for (auto& branch : s.bodies)
      for (auto& inner : branch) refuse_setting_loop(*inner);
    for (auto& inner : s.body) refuse_setting_loop(*inner);
    for (auto& inner : s.otherwise) refuse_setting_loop(*inner);
  }

  static bool sets_loop(const Expr& target) {
    if (target.op == Op::name) return target.name == "loop";
    if (target.op != Op::tuple) return false;
    for (auto& part : target.parts)
      if (sets_loop(*part)) return true;
    return false;
  }

  Program& program_;
};

}  // namespace

void resolve_names(Program& program) { Resolver(program).run(); }

}  // namespace madang::jinja
