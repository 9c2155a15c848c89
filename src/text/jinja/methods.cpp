// Methods of lists, tuples, dicts and numbers, and how a method is bound to its value.
// Python's documentation: "Built-in Types".
#include "text/jinja/methods.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/arguments.h"
#include "text/jinja/methods_text.h"
#include "text/jinja/objects.h"
#include "text/jinja/operators.h"

namespace madang::jinja {
namespace {

Value sequence_index(Call& c) {
  auto& items = c.self.sequence()->items;
  auto size = static_cast<int64_t>(items.size());
  auto place = [&](size_t i, int64_t otherwise) {
    int64_t n = c.has(i) ? to_index(c[i]) : otherwise;
    return n < 0 ? std::max<int64_t>(0, n + size) : std::min(n, size);
  };
  for (int64_t i = place(1, 0), end = place(2, size); i < end; ++i)
    if (equal(c.rt, items[static_cast<size_t>(i)], c[0])) return i;
  refuse(say("the value is not in the list"));
}

Value sequence_count(Call& c) {
  int64_t n = 0;
  for (auto& item : c.self.sequence()->items) n += equal(c.rt, item, c[0]);
  return n;
}

template <DictView::Of of>
Value view(Call& c) {
  return make_object(std::make_shared<DictView>(c.self, of));
}

Value dict_get(Call& c) {
  auto* found = find(c.rt, *c.self.dict(), c[0]);
  return found ? *found : c.or_else(1, None{});
}

Value from_keys(Call& c) {
  DictMaker maker(c.rt);
  auto it = iterate(c.rt, c[0]);
  while (auto key = it->next(c.rt)) maker.set(*key, c.or_else(1, None{}));
  return maker.finish();
}

Value bit_length(Call& c) {
  mpz_class n = abs(big_of(c.self));
  return n == 0 ? Value(0) : Value(mpz_sizeinbase(n.get_mpz_t(), 2));
}

Value is_integer(Call& c) {
  double d = *c.self.as<double>();
  return std::isfinite(d) && d == std::trunc(d);
}

Value itself(Call& c) { return c.self; }

constexpr Row list_rows[] = {
    {"copy", "/", itself},
    {"count", "value /", sequence_count},
    {"index", "value start? stop? /", sequence_index},
};
constexpr Row tuple_rows[] = {
    {"count", "value /", sequence_count},
    {"index", "value start? stop? /", sequence_index},
};
constexpr Row dict_rows[] = {
    {"copy", "/", itself},
    {"fromkeys", "iterable value? /", from_keys},
    {"get", "key default? /", dict_get},
    {"items", "/", view<DictView::Of::items>},
    {"keys", "/", view<DictView::Of::keys>},
    {"values", "/", view<DictView::Of::values>},
};
constexpr Row int_rows[] = {
    {"bit_length", "/", bit_length},
    {"conjugate", "/", itself},
};
constexpr Row float_rows[] = {
    {"conjugate", "/", itself},
    {"is_integer", "/", is_integer},
};

const Row* row_of(const Value& v, std::string_view name) {
  if (v.string()) return text_method(name);
  if (v.dict()) return find_row(dict_rows, name);
  if (v.is_list()) return find_row(list_rows, name);
  if (v.sequence()) return find_row(tuple_rows, name);
  if (v.is_int()) return find_row(int_rows, name);
  return v.as<double>() ? find_row(float_rows, name) : nullptr;
}

// What a method of Markup returns is Markup too.
Value marked(const Value& v) {
  if (auto* s = v.string()) return Value(s->bytes, true);
  if (!v.sequence()) return v;
  Values items;
  for (auto& item : v.sequence()->items) items.push_back(marked(item));
  return make_sequence(std::move(items), v.sequence()->kind);
}

Value property_of(const Value& v, std::string_view name) {
  if (v.is_int() && (name == "real" || name == "numerator")) return make_integer(big_of(v));
  if (v.is_int() && name == "imag") return 0;
  if (v.is_int() && name == "denominator") return 1;
  if (v.as<double>() && name == "real") return v;
  if (v.as<double>() && name == "imag") return 0.0;
  if (v.sequence() && v.sequence()->kind == Sequence::Kind::group && (name == "grouper" || name == "list"))
    return v.sequence()->items[name == "list"];
  return {};
}

}  // namespace

Value method_of(Runtime& rt, const Value& v, std::string_view name) {
  rt.budget.charge();
  const Row* row = row_of(v, name);
  if (!row) return property_of(v, name);
  return make_object(std::make_shared<Function>(std::string(name), [row, v](Runtime& r, Arguments& a) {
    Value result = invoke(r, *row, v, std::move(a));
    return v.string() && v.string()->markup ? marked(result) : result;
  }));
}

bool changes_container(const Value& v, std::string_view name) {
  auto is_one_of = [name](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (v.is_list()) return is_one_of({"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"});
  return v.dict() && is_one_of({"clear", "pop", "popitem", "setdefault", "update"});
}

}  // namespace madang::jinja
