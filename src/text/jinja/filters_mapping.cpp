// Filters that look into the elements of a sequence: by attribute, by test, by another filter.
// Jinja's documentation: "List of Builtin Filters".
#include <algorithm>

#include "text/jinja/attribute_path.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/sort.h"
#include "text/jinja/tables.h"

namespace madang::jinja {

AttributePath::AttributePath(Runtime& rt, const Value& path, Value otherwise) : otherwise_(std::move(otherwise)) {
  if (path.is_none() || path.is_missing()) return;
  if (!path.string()) {
    parts_.push_back(path);
    return;
  }
  rt.budget.charge(1 + text_of(path).size());
  for (auto part : split(text_of(path), ".")) {
    bool number = !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == part.npos;
    parts_.push_back(number ? Value(static_cast<int64_t>(std::stoll(std::string(part)))) : Value(part));
  }
}

Value AttributePath::of(Runtime& rt, Value element) const {
  for (auto& part : parts_) {
    element = get_item(rt, element, part);
    if (element.undefined() && !otherwise_.is_none()) element = otherwise_;
  }
  return element;
}

Value fold_case(Runtime& rt, const Value& v, bool case_sensitive) {
  if (case_sensitive || !v.string()) return v;
  rt.budget.charge_text(text_of(v).size());
  return Value(lower(text_of(v)));
}

namespace {

// The elements of `source` as `next` lets them through, one at a time when they are asked for.
template <class Next>
Value lazily(Call& c, Next next) {
  int depth = depth_of(c.self);
  return make_object(std::make_shared<Generator>(std::move(next), depth));
}

using Change = std::function<Value(Runtime&, const Value&)>;

// The change that map makes: an attribute, or a filter with its arguments.
Change mapping(Runtime& rt, Arguments given) {
  auto& keyword = given.keyword;
  auto by_name = [&](std::string_view name) {
    return std::find_if(keyword.begin(), keyword.end(), [&](auto& k) { return k.first == name; });
  };
  if (auto attribute = by_name("attribute"); given.positional.empty() && attribute != keyword.end()) {
    auto otherwise = by_name("default");
    bool has_default = otherwise != keyword.end();
    if (keyword.size() > (has_default ? 2u : 1u)) refuse(say("map takes nothing but attribute and default"));
    AttributePath path(rt, attribute->second, has_default ? otherwise->second : Value(None{}));
    return [path](Runtime& r, const Value& v) { return path.of(r, v); };
  }
  if (given.positional.empty()) refuse(say("map needs the name of a filter"));
  std::string name = str_of(rt, given.positional[0]);
  auto* row = filter_named(name);
  if (!row) refuse(say("no filter is named '{}'", name));
  given.positional.erase(given.positional.begin());
  return [row, given](Runtime& r, const Value& v) { return invoke(r, *row, v, given); };
}

Value map(Call& c) {
  auto next = [source = c.self, given = c.others, items = Ref<Iterator>(),
               change = Change()](Runtime& rt) mutable -> std::optional<Value> {
    if (!items) {
      if (!truth(rt, source)) return {};
      change = mapping(rt, std::move(given));
      items = iterate(rt, source);
    }
    auto item = items->next(rt);
    return item ? std::optional(change(rt, *item)) : std::nullopt;
  };
  return lazily(c, std::move(next));
}

// The question that select and its kin ask: a test with its arguments, or truth.
Change question(Runtime& rt, Arguments given, bool of_attribute) {
  AttributePath path(rt, None{});
  auto& all = given.positional;
  if (of_attribute) {
    if (all.empty()) refuse(say("the name of an attribute is missing"));
    path = AttributePath(rt, all[0]);
    all.erase(all.begin());
  }
  if (all.empty()) return [path](Runtime& r, const Value& v) { return truth(r, path.of(r, v)); };
  std::string name = str_of(rt, all[0]);
  auto* row = test_named(name);
  if (!row) refuse(say("no test is named '{}'", name));
  all.erase(all.begin());
  return [row, path, given](Runtime& r, const Value& v) { return invoke(r, *row, path.of(r, v), given); };
}

template <bool of_attribute, bool wanted>
Value select(Call& c) {
  auto next = [source = c.self, given = c.others, items = Ref<Iterator>(),
               ask = Change()](Runtime& rt) mutable -> std::optional<Value> {
    if (!items) {
      if (!truth(rt, source)) return {};
      ask = question(rt, std::move(given), of_attribute);
      items = iterate(rt, source);
    }
    while (auto item = items->next(rt))
      if (truth(rt, ask(rt, *item)) == wanted) return item;
    return {};
  };
  return lazily(c, std::move(next));
}

struct Keyed {
  Value key, value;
};

std::vector<Keyed> keyed(Call& c, const std::function<Value(const Value&)>& key_of) {
  std::vector<Keyed> all;
  for (auto& v : collect(c.rt, c.self)) all.push_back({key_of(v), v});
  return all;
}

void sort_keyed(Runtime& rt, std::vector<Keyed>& all, bool downwards) {
  sort_stable(all, [&](const Keyed& a, const Keyed& b) { return less(rt, a.key, b.key); }, downwards);
}

Value sort(Call& c) {
  std::vector<AttributePath> paths;
  if (c.has(2) && c[2].string())
    for (auto part : split(text_of(c[2]), ",")) paths.emplace_back(c.rt, Value(part));
  else
    paths.emplace_back(c.rt, c.or_else(2, None{}));
  auto all = keyed(c, [&](const Value& v) {
    Values keys;
    for (auto& path : paths) keys.push_back(fold_case(c.rt, path.of(c.rt, v), c.flag(1)));
    return make_list(std::move(keys));  // lists: what is equal is never asked for its order
  });
  sort_keyed(c.rt, all, c.flag(0));
  Values out;
  for (auto& k : all) out.push_back(std::move(k.value));
  return make_list(std::move(out));
}

Value groupby(Call& c) {
  AttributePath path(c.rt, c[0], c.or_else(1, None{}));
  bool case_sensitive = c.flag(2);
  auto all = keyed(c, [&](const Value& v) { return fold_case(c.rt, path.of(c.rt, v), case_sensitive); });
  sort_keyed(c.rt, all, false);
  Values groups;
  for (size_t from = 0, to; from < all.size(); from = to) {
    Values members;
    for (to = from; to < all.size() && equal(c.rt, all[from].key, all[to].key); ++to) members.push_back(all[to].value);
    if (to == from) members.push_back(all[to++].value);  // a nan is in no group but its own
    Value name = case_sensitive ? all[from].key : path.of(c.rt, members[0]);
    groups.push_back(make_sequence({name, make_list(std::move(members))}, Sequence::Kind::group));
  }
  return make_list(std::move(groups));
}

template <bool largest>
Value extreme(Call& c) {
  AttributePath path(c.rt, c.or_else(1, None{}));
  auto all = keyed(c, [&](const Value& v) { return fold_case(c.rt, path.of(c.rt, v), c.flag(0)); });
  if (all.empty()) return make_undefined(say("the sequence is empty"));
  const Keyed* best = &all[0];
  for (size_t i = 1; i < all.size(); ++i)
    if (largest ? less(c.rt, best->key, all[i].key) : less(c.rt, all[i].key, best->key)) best = &all[i];
  return best->value;
}

Value unique(Call& c) {
  AttributePath path(c.rt, c.or_else(1, None{}));
  auto next = [path, case_sensitive = c.flag(0), items = iterate(c.rt, c.self),
               seen = std::unordered_multimap<size_t, Value>()](Runtime& rt) mutable -> std::optional<Value> {
    while (auto item = items->next(rt)) {
      Value key = fold_case(rt, path.of(rt, *item), case_sensitive);
      size_t h = hash(rt, key);
      auto [from, to] = seen.equal_range(h);
      if (std::any_of(from, to, [&](auto& entry) { return equal(rt, entry.second, key); })) continue;
      seen.emplace(h, std::move(key));
      return item;
    }
    return {};
  };
  return lazily(c, std::move(next));
}

Value sum(Call& c) {
  AttributePath path(c.rt, c.or_else(0, None{}));
  Value total = c.or_else(1, 0);
  if (total.string()) refuse(say("texts cannot be summed, only joined"));
  auto items = iterate(c.rt, c.self);
  while (auto item = items->next(c.rt)) total = binary(c.rt, Operator::add, total, path.of(c.rt, *item));
  return total;
}

constexpr Row rows[] = {
    {"groupby", "attribute default? case_sensitive?", groupby},
    {"map", "*", map},
    {"max", "case_sensitive? attribute?", extreme<true>},
    {"min", "case_sensitive? attribute?", extreme<false>},
    {"reject", "*", select<false, false>},
    {"rejectattr", "*", select<true, false>},
    {"select", "*", select<false, true>},
    {"selectattr", "*", select<true, true>},
    {"sort", "reverse? case_sensitive? attribute?", sort},
    {"sum", "attribute? start?", sum},
    {"unique", "case_sensitive? attribute?", unique},
};

}  // namespace

const Row* mapping_filter(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
