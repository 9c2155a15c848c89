// Filters on sequences and dicts as a whole. Jinja's documentation: "List of Builtin Filters".
#include <algorithm>

#include "text/jinja/attribute_path.h"
#include "text/jinja/methods.h"
#include "text/jinja/objects.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/sort.h"
#include "text/jinja/tables.h"

namespace madang::jinja {
namespace {

Value length_filter(Call& c) {
  auto n = length(c.rt, c.self);
  if (!n) refuse(say("a value of type '{}' has no length", type_name(c.self)));
  return *n;
}

Value list(Call& c) { return make_list(collect(c.rt, c.self)); }

Value first(Call& c) {
  auto item = iterate(c.rt, c.self)->next(c.rt);
  return item ? *item : make_undefined(say("the sequence is empty"));
}

bool is_reversible(const Value& v) {
  return v.string() || v.sequence() || v.dict() || v.object_as<Range>() || v.object_as<DictView>();
}

Value last(Call& c) {
  if (c.self.undefined()) return make_undefined(say("the sequence is empty"));
  if (!is_reversible(c.self)) refuse(say("a value of type '{}' has no last element", type_name(c.self)));
  if (auto* s = c.self.string(); s && !s->bytes.empty()) return character_at(*s, character_count(*s) - 1);
  Values all = collect(c.rt, c.self);
  return all.empty() ? make_undefined(say("the sequence is empty")) : all.back();
}

Value reverse(Call& c) {
  if (auto* s = c.self.string()) {
    c.rt.budget.charge_text(s->bytes.size());
    return Value(reversed(s->bytes), s->markup);
  }
  Values all = collect(c.rt, c.self);
  std::reverse(all.begin(), all.end());
  Value whole = make_list(std::move(all));
  if (!is_reversible(c.self)) return whole;
  auto next = [items = iterate(c.rt, whole)](Runtime& rt) { return items->next(rt); };
  return make_object(std::make_shared<Generator>(std::move(next), depth_of(whole), "list_reverseiterator"));
}

Value join(Call& c) {
  AttributePath path(c.rt, c.or_else(1, None{}));
  Values all = collect(c.rt, c.self);
  Value between = c.or_else(0, "");
  auto is_markup = [](const Value& v) { return v.string() && v.string()->markup; };
  for (auto& v : all) v = path.of(c.rt, v);
  bool escapes = c.rt.autoescape && (is_markup(between) || std::any_of(all.begin(), all.end(), is_markup));
  auto written = [&](const Value& v) { return escapes ? text_of(to_markup(c.rt, v)) : str_of(c.rt, v); };
  std::string out, separator = written(between);
  for (size_t i = 0; i < all.size(); ++i) {
    c.rt.budget.charge(1 + separator.size() / 16);
    if (out.size() > c.rt.budget.longest()) c.rt.budget.charge_text(out.size());
    if (i) out += separator;
    out += written(all[i]);
  }
  return Value(std::move(out), escapes);
}

Value batch(Call& c) {
  int64_t size = to_index(c[0]);
  Value fill = c.or_else(1, None{});
  auto next = [size, fill, items = iterate(c.rt, c.self), kept = Values(),
               done = false](Runtime& rt) mutable -> std::optional<Value> {
    while (!done) {
      auto item = items->next(rt);
      if (!item) break;
      rt.budget.charge();
      bool full = static_cast<int64_t>(kept.size()) == size;
      Values ready = full ? std::exchange(kept, {}) : Values();
      kept.push_back(std::move(*item));
      if (full) return make_list(std::move(ready));
    }
    if (std::exchange(done, true) || kept.empty()) return {};
    while (!fill.is_none() && static_cast<int64_t>(kept.size()) < size) {
      rt.budget.charge();
      kept.push_back(fill);
    }
    return make_list(std::move(kept));
  };
  return make_object(std::make_shared<Generator>(std::move(next), deeper(depth_of(c.self))));
}

Value slice_filter(Call& c) {
  int64_t slices = to_index(c[0]);
  Value fill = c.or_else(1, None{});
  auto next = [slices, fill, source = c.self, all = std::optional<Values>(),
               number = int64_t{0}](Runtime& rt) mutable -> std::optional<Value> {
    if (!all) all = collect(rt, source);
    if (slices == 0) refuse(say("division by zero"));
    if (number >= slices) return {};
    auto size = static_cast<int64_t>(all->size());
    int64_t each = size / slices, longer = size % slices;  // the first `longer` slices hold one more
    int64_t from = number * each + std::min(number, longer), to = from + each + (number < longer);
    Values part(all->begin() + from, all->begin() + to);
    if (!fill.is_none() && number >= longer) part.push_back(fill);
    ++number;
    return make_list(std::move(part));
  };
  return make_object(std::make_shared<Generator>(std::move(next), deeper(depth_of(c.self))));
}

Value default_filter(Call& c) {
  bool absent = c.self.undefined() || (c.flag(1) && !truth(c.rt, c.self));
  return absent ? c.or_else(0, "") : c.self;
}

const Dict& needed_dict(const Value& v) {
  require_defined(v);
  if (!v.dict()) refuse(say("a dict is needed here, not a value of type '{}'", type_name(v)));
  return *v.dict();
}

Value items(Call& c) {
  if (c.self.undefined()) return make_object(std::make_shared<Generator>(nullptr, 0));
  needed_dict(c.self);
  auto pairs = std::make_shared<DictView>(c.self, DictView::Of::items)->iterate(c.rt);
  auto next = [pairs](Runtime& rt) { return pairs->next(rt); };
  return make_object(std::make_shared<Generator>(std::move(next), depth_of(c.self)));
}

Value dictsort(Call& c) {
  auto entries = needed_dict(c.self).entries;
  std::string by = c.has(1) ? str_of(c.rt, c[1]) : "key";
  if (by != "key" && by != "value") refuse(say("a dict is sorted by key or by value"));
  std::vector<std::pair<Value, Value>> keyed;  // what is compared, and the pair
  for (auto& [key, value] : entries)
    keyed.emplace_back(fold_case(c.rt, by == "key" ? key : value, c.flag(0)), make_tuple({key, value}));
  sort_stable(keyed, [&](auto& a, auto& b) { return less(c.rt, a.first, b.first); }, c.flag(2));
  Values out;
  for (auto& [key, pair] : keyed) out.push_back(std::move(pair));
  return make_list(std::move(out));
}

Value attr(Call& c) {
  std::string name = str_of(c.rt, c[0]);
  require_defined(c.self);
  if (!changes_container(c.self, name) && own_attribute(c.rt, c.self, name).is_missing())
    return make_undefined(say("a value of type '{}' has no attribute '{}'", type_name(c.self), name));
  return get_attribute(c.rt, c.self, name);
}

Value random(Call& c) {
  if (length(c.rt, c.self).value_or(1) == 0) return make_undefined(say("the sequence is empty"));
  throw Error(Kind::unsupported, say("'{}' is refused: a prompt must not depend on chance", "random"));
}

constexpr Row rows[] = {
    {"attr", "name", attr},
    {"batch", "linecount fill_with?", batch},
    {"count", "", length_filter},
    {"d", "default_value? boolean?", default_filter},
    {"default", "default_value? boolean?", default_filter},
    {"dictsort", "case_sensitive? by? reverse?", dictsort},
    {"first", "", first},
    {"items", "", items},
    {"join", "d? attribute?", join},
    {"last", "", last},
    {"length", "", length_filter},
    {"list", "", list},
    {"random", "", random},
    {"reverse", "", reverse},
    {"slice", "slices fill_with?", slice_filter},
};

}  // namespace

const Row* sequence_filter(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
