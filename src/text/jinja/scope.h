// Which name means which variable. Jinja compiles templates to Python functions, and what a name means follows from
// that: it is settled once, for the whole template, before anything runs. A name that is set anywhere in a scope
// belongs to that scope from its beginning; a loop body sees what surrounds it but sets only its own; a macro sees
// its surroundings as they are when it is called.
// Jinja's documentation: "Scoping Behavior" and "Import Context Behavior"; the rules are those of jinja2.idtracking.
#pragma once
#include <map>
#include <set>
#include <string>

#include "text/jinja/ast.h"

namespace madang::jinja {

/// The names of one scope while they are being found out. Copied where an `if` branches.
class Symbols {
 public:
  explicit Symbols(const Symbols* parent = nullptr) : parent_(parent) {}

  void load(const std::string& name);
  void store(const std::string& name);
  void declare_parameter(const std::string& name);
  /// What holds behind an `if`: what any branch stored may or may not be set.
  void merge_branches(const std::vector<Symbols>& branches);

  bool knows(const std::string& name) const { return loads_.contains(name); }
  const Symbols* owner(const std::string& name) const;  // this scope or an outer one; null: nobody knows the name
  int slot(const std::string& name) const;
  Place place(const std::string& name) const;  // of a name that somebody owns
  ScopeLayout layout() const;

 private:
  struct Load {
    ScopeLoad::Action action;
    const Symbols* from = nullptr;  // of an alias
  };
  const Symbols* outer_owner(const std::string& name) const { return parent_ ? parent_->owner(name) : nullptr; }
  int hops_to(const Symbols* scope) const;

  const Symbols* parent_;
  std::map<std::string, Load> loads_;
  std::set<std::string> stores_;
};

/// Notes the names that a statement or expression uses in its own scope; scopes inside it are left alone.
void note(Symbols& symbols, const Body& body);
void note(Symbols& symbols, const Expr* e);
void note_target(Symbols& symbols, const Expr& target, bool as_parameter);

/// Whether the body reads `name` before it sets it; blocks inside are not looked into.
bool reads(const Body& body, std::string_view name);

/// Gives every name its place. Throws Kind::format for unknown filters and tests, break outside loops, and the
/// like.
void resolve_names(Program& program);

}  // namespace madang::jinja
