// A parsed template: statements made of expressions, with every name resolved to a place in a frame.
// Jinja's documentation: "List of Control Structures", "Expressions".
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "text/jinja/operators.h"
#include "text/jinja/value.h"

namespace madang::jinja {

struct Expr;
struct Statement;
using ExprPtr = std::unique_ptr<Expr>;
using Body = std::vector<std::unique_ptr<Statement>>;

/// Where a variable lives: so many frames outwards, then a slot.
struct Place {
  int hops = 0, slot = 0;
};

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> keyword;
  ExprPtr star, star_star;
};

enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };

struct Expr {
  enum class Op : uint8_t {
    data,  // constant: text between tags
    constant,
    name,                    // loaded from `place`, or stored there
    attribute_of_namespace,  // only as a target: {% set ns.name = .. %}
    tuple,
    list,
    dict,    // parts: key, value, key, value ...
    binary,  // op
    concat,  // ~
    negate,
    positive,
    not_,
    and_,
    or_,
    compare,     // parts: first, then one for each of comparisons
    attribute,   // parts[0].name
    item,        // parts[0][parts[1]]
    slice,       // parts[0][parts[1]:parts[2]:parts[3]], absent parts null
    filter,      // parts[0] | name(arguments); parts[0] null: the text of a block
    test,        // parts[0] is name(arguments)
    call,        // parts[0](arguments)
    conditional  // parts[0] if parts[1] else parts[2], which may be null
  };
  Op op;
  int line;
  int depth = 1;  // bounded by the parser, so that nothing that walks the tree can run out of stack
  std::string name;
  Value constant;
  std::vector<ExprPtr> parts;
  std::vector<Comparison> comparisons;
  Operator operation = Operator::add;
  std::unique_ptr<CallArguments> arguments;
  Place place;
};

/// What a scope does with its slots when it is entered.
struct ScopeLoad {
  enum class Action : uint8_t {
    parameter,  // filled by who enters
    resolve,    // from the template's variables, by name
    alias,      // from an outer scope
    missing
  };
  Action action;
  int slot;
  std::string name;
  Place from;  // of an alias: hops counted from the scope itself
};

struct ScopeLayout {
  int slots = 0;
  std::vector<ScopeLoad> loads;
};

struct Parameter {
  std::string name;
  ExprPtr otherwise;  // null: none
  int slot = 0;
};

struct Statement {
  enum class Tag : uint8_t {
    output,      // values
    for_,        // target, value (what is walked), test (the `if`), body, otherwise
    if_,         // branches of (test, body) in values and bodies; otherwise
    macro,       // name, parameters, body
    call,        // value (an Expr::call), parameters, body: the caller
    generation,  // body, as a caller that is called at once
    filter,      // value (an Expr::filter), body
    with,        // targets = values, body
    set,         // target = value
    set_block,   // target, value (a filter or null), body
    block,       // name, body
    load,        // include, import, from, extends: refused when it is reached; targets are the imported names
    autoescape,  // value, body
    break_,
    continue_
  };
  Tag tag;
  int line;
  std::string name;
  ExprPtr target, value, test;
  ExprPtr test_target;  // of a loop: the target again, in the scope of its `if`
  std::vector<ExprPtr> values, targets;
  std::vector<Body> bodies;
  Body body, otherwise;
  std::vector<Parameter> parameters;
  bool recursive = false, scoped = false, required = false, top_level = false;
  bool takes_caller = false, takes_kwargs = false, takes_varargs = false;
  int caller_slot = 0, kwargs_slot = 0, varargs_slot = 0, loop_slot = 0;
  Place place;  // of a macro's own name
  ScopeLayout scope, test_scope, otherwise_scope;
};

struct Program {
  std::string name;
  Body body;
  ScopeLayout scope;
  int self_slot = -1;
  std::map<std::string, const Statement*, std::less<>> blocks;
};

}  // namespace madang::jinja
