// Finding out what names a scope has.
#include "text/jinja/scope.h"

#include <algorithm>

namespace madang::jinja {

using Action = ScopeLoad::Action;
using Op = Expr::Op;
using Tag = Statement::Tag;

void Symbols::load(const std::string& name) {
  if (!owner(name)) loads_[name] = {Action::resolve};
}

void Symbols::store(const std::string& name) {
  stores_.insert(name);
  if (knows(name)) return;
  auto* outer = outer_owner(name);
  loads_[name] = outer ? Load{Action::alias, outer} : Load{Action::missing};
}

void Symbols::declare_parameter(const std::string& name) {
  stores_.insert(name);
  loads_[name] = {Action::parameter};
}

void Symbols::merge_branches(const std::vector<Symbols>& branches) {
  std::set<std::string> fresh;
  for (auto& branch : branches)
    for (auto& name : branch.stores_)
      if (!stores_.contains(name)) fresh.insert(name);
  for (auto& branch : branches) {
    for (auto& [name, load] : branch.loads_) loads_[name] = load;
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  for (auto& name : fresh) {
    auto* outer = outer_owner(name);
    loads_[name] = outer ? Load{Action::alias, outer} : Load{Action::resolve};
  }
}

const Symbols* Symbols::owner(const std::string& name) const {
  for (auto* s = this; s; s = s->parent_)
    if (s->knows(name)) return s;
  return nullptr;
}

int Symbols::hops_to(const Symbols* scope) const {
  int hops = 0;
  for (auto* s = this; s != scope; s = s->parent_) ++hops;
  return hops;
}

int Symbols::slot(const std::string& name) const {
  return static_cast<int>(std::distance(loads_.begin(), loads_.find(name)));
}

Place Symbols::place(const std::string& name) const {
  auto* where = owner(name);
  return {hops_to(where), where->slot(name)};
}

ScopeLayout Symbols::layout() const {
  ScopeLayout layout{static_cast<int>(loads_.size()), {}};
  for (auto& [name, load] : loads_) {
    Place from;
    if (load.from) from = {hops_to(load.from), load.from->slot(name)};
    layout.loads.push_back({load.action, slot(name), name, from});
  }
  return layout;
}

// --- Noting ----------------------------------------------------------------------------------------------------

void note(Symbols& symbols, const Expr* e) {
  if (!e) return;
  if (e->op == Op::name) symbols.load(e->name);
  for (auto& part : e->parts) note(symbols, part.get());
  if (!e->arguments) return;
  for (auto& part : e->arguments->positional) note(symbols, part.get());
  for (auto& [key, part] : e->arguments->keyword) note(symbols, part.get());
  note(symbols, e->arguments->star.get());
  note(symbols, e->arguments->star_star.get());
}

void note_target(Symbols& symbols, const Expr& target, bool as_parameter) {
  if (target.op == Op::attribute_of_namespace)
    symbols.load(target.parts[0]->name);
  else if (target.op == Op::name)
    as_parameter ? symbols.declare_parameter(target.name) : symbols.store(target.name);
  else
    for (auto& part : target.parts) note_target(symbols, *part, as_parameter);
}

namespace {

// From branch `at` on: the later ones are nested in the otherwise of the earlier, as elif is.
void note_if(Symbols& symbols, const Statement& s) {
  note(symbols, s.values[0].get());
  Symbols first = symbols, elifs = symbols, last = symbols;
  note(first, s.bodies[0]);
  for (size_t i = 1; i < s.values.size(); ++i) {
    note(elifs, s.values[i].get());
    Symbols taken = elifs;
    note(taken, s.bodies[i]);
    elifs.merge_branches({taken, elifs, elifs});
  }
  note(last, s.otherwise);
  symbols.merge_branches({first, elifs, last});
}

void note(Symbols& symbols, const Statement& s) {
  switch (s.tag) {
    case Tag::if_:
      return note_if(symbols, s);
    case Tag::macro:
      return symbols.store(s.name);
    case Tag::set:
      note(symbols, s.value.get());
      return note_target(symbols, *s.target, false);
    case Tag::set_block:
      return note_target(symbols, *s.target, false);
    case Tag::load:
      note(symbols, s.value.get());
      for (auto& target : s.targets) note_target(symbols, *target, false);
      return;
    case Tag::output:
    case Tag::with:
      for (auto& value : s.values) note(symbols, value.get());
      return;
    case Tag::for_:
    case Tag::call:
    case Tag::filter:
      return note(symbols, s.value.get());
    default:
      return;
  }
}

// --- reads -----------------------------------------------------------------------------------------------------

// The first thing done to a name: read, set, or neither.
enum class Use { none, read, set };

Use first_use(const Expr* e, std::string_view name, bool stored);
Use first_use(const Body& body, std::string_view name);

template <class... Uses>
Use first_of(Uses... later) {
  Use use = Use::none;
  ((use = use == Use::none ? later() : use), ...);
  return use;
}

template <class List>
Use first_in(const List& list, std::string_view name, bool stored = false) {
  for (auto& e : list)
    if (Use use = first_use(e.get(), name, stored); use != Use::none) return use;
  return Use::none;
}

Use first_use(const Expr* e, std::string_view name, bool stored) {
  if (!e) return Use::none;
  if (e->op == Op::attribute_of_namespace) return Use::none;  // its owner is no Name node in Jinja's tree
  if (e->op == Op::name && e->name == name) return stored ? Use::set : Use::read;
  Use use = first_in(e->parts, name, stored);
  if (use != Use::none || !e->arguments) return use;
  auto& a = *e->arguments;
  use = first_in(a.positional, name);
  for (auto& [key, value] : a.keyword)
    if (use == Use::none) use = first_use(value.get(), name, false);
  return first_of([&] { return use; }, [&] { return first_use(a.star.get(), name, false); },
                  [&] { return first_use(a.star_star.get(), name, false); });
}

Use first_use_of_parameters(const Statement& s, std::string_view name) {
  for (auto& p : s.parameters)
    if (p.name == name) return Use::set;
  for (auto& p : s.parameters)
    if (Use use = first_use(p.otherwise.get(), name, false); use != Use::none) return use;
  return Use::none;
}

// In the order of the fields of Jinja's own nodes, which decides what comes first.
Use first_use(const Statement& s, std::string_view name) {
  if (s.tag == Tag::block) return Use::none;
  auto branches = [&] {
    for (size_t i = 0; i < s.bodies.size(); ++i) {
      Use use = first_of([&] { return first_use(s.values[i].get(), name, false); },
                         [&] { return first_use(s.bodies[i], name); });
      if (use != Use::none) return use;
    }
    return Use::none;
  };
  auto value = [&] { return first_use(s.value.get(), name, false); };
  auto body = [&] { return first_use(s.body, name); };
  return first_of([&] { return first_use(s.target.get(), name, true); },
                  [&] { return first_in(s.targets, name, true); },
                  [&] { return s.tag == Tag::filter ? body() : Use::none; }, value,
                  [&] { return s.tag == Tag::if_ ? branches() : first_in(s.values, name); },
                  [&] { return first_use_of_parameters(s, name); }, body, [&] { return first_use(s.otherwise, name); },
                  [&] { return first_use(s.test.get(), name, false); });
}

Use first_use(const Body& body, std::string_view name) {
  for (auto& s : body)
    if (Use use = first_use(*s, name); use != Use::none) return use;
  return Use::none;
}

}  // namespace

void note(Symbols& symbols, const Body& body) {
  for (auto& s : body) note(symbols, *s);
}

bool reads(const Body& body, std::string_view name) { return first_use(body, name) == Use::read; }

}  // namespace madang::jinja
