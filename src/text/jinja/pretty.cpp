// pprint.
#include "text/jinja/pretty.h"

#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/sort.h"

namespace madang::jinja {
namespace {

// The value with every dict in the order of its keys, which pprint prints by.
Value ordered(Runtime& rt, const Value& v) {
  rt.budget.charge(8);  // everything is made anew
  if (auto* s = v.sequence()) {
    Values items;
    for (auto& item : s->items) items.push_back(ordered(rt, item));
    return make_sequence(std::move(items), s->kind);
  }
  if (!v.dict()) return v;
  auto entries = v.dict()->entries;
  auto rank = [](const Value& key) { return key.string() ? 1 : 0; };  // keys of unlike types: numbers first
  sort_stable(entries, [&](auto& a, auto& b) {
    return rank(a.first) != rank(b.first) ? rank(a.first) < rank(b.first) : less(rt, a.first, b.first);
  });
  DictMaker maker(rt);
  for (auto& [key, value] : entries) maker.set(key, ordered(rt, value));
  return maker.finish();
}

void lay_out(Runtime& rt, std::string& out, const Value& v, size_t indent, size_t reserved) {
  constexpr size_t width = 80;
  std::string whole = repr_of(rt, v);
  bool container = (v.sequence() && !v.sequence()->items.empty()) || (v.dict() && !v.dict()->entries.empty());
  if (!container || character_count(whole) + indent + reserved <= width) {
    out += whole;
    return;
  }
  bool single = v.is_tuple() && v.sequence()->items.size() == 1;
  char open = v.dict() ? '{' : v.is_list() ? '[' : '(', close = v.dict() ? '}' : v.is_list() ? ']' : ')';
  size_t count = v.dict() ? v.dict()->entries.size() : v.sequence()->items.size();
  out += open;
  for (size_t i = 0; i < count; ++i) {
    rt.budget.charge_text(indent);
    if (i) out += ",\n" + std::string(indent + 1, ' ');
    size_t tail = i + 1 == count ? reserved + 1 + single : 1;
    if (!v.dict()) {
      lay_out(rt, out, v.sequence()->items[i], indent + 1, tail);
      continue;
    }
    auto& [key, value] = v.dict()->entries[i];
    std::string name = repr_of(rt, key);
    out += name + ": ";
    lay_out(rt, out, value, indent + 3 + character_count(name), tail);
  }
  if (single) out += ',';
  out += close;
}

}  // namespace

std::string pretty(Runtime& rt, const Value& v) {
  std::string out;
  lay_out(rt, out, ordered(rt, v), 0, 0);
  rt.budget.charge_text(out.size());
  return out;
}

}  // namespace madang::jinja
