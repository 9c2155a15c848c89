// Tests, one row a test. Jinja's documentation: "List of Builtin Tests".
#include "text/jinja/objects.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_repr.h"
#include "text/jinja/python_text.h"
#include "text/jinja/tables.h"

namespace madang::jinja {
namespace {

Value rest_of(Call& c, const Value& by) { return binary(c.rt, Operator::mod, c.self, by); }

Value is_sequence(Call& c) {
  auto& v = c.self;
  return v.string() || v.sequence() || v.dict() || v.undefined() || (v.object() && v.object()->subscriptable());
}

Value is_callable(Call& c) { return c.self.undefined() || (c.self.object() && c.self.object()->callable()); }

Value is_defined(Call& c) { return !c.self.undefined(); }

// One and the same object. Small things are equal and of one type; containers are the same storage.
Value is_same(Call& c) {
  const Value &a = c.self, &b = c[0];
  if (a.storage().index() != b.storage().index()) return false;
  if (a.sequence() || b.sequence()) return a.sequence() == b.sequence();
  if (a.dict() || b.dict()) return a.dict() == b.dict();
  return equal(c.rt, a, b);
}

template <auto fits>
Value ordered(Call& c) {
  auto sign = compare(c.rt, c.self, c[0]);
  return sign && fits(*sign);
}
constexpr auto greater = [](int s) { return s > 0; };
constexpr auto at_least = [](int s) { return s >= 0; };
constexpr auto smaller = [](int s) { return s < 0; };
constexpr auto at_most = [](int s) { return s <= 0; };

Value is_equal(Call& c) { return equal(c.rt, c.self, c[0]); }
Value is_unequal(Call& c) { return !equal(c.rt, c.self, c[0]); }

// str(value).islower() and the like.
Value text_is(Call& c, std::string_view method) {
  Arguments none;
  return call(c.rt, own_attribute(c.rt, Value(str_of(c.rt, c.self)), method), none);
}

constexpr Row rows[] = {
    {"!=", "other", is_unequal},
    {"<", "other", ordered<smaller>},
    {"<=", "other", ordered<at_most>},
    {"==", "other", is_equal},
    {">", "other", ordered<greater>},
    {">=", "other", ordered<at_least>},
    {"boolean", "", [](Call& c) -> Value { return c.self.is_bool(); }},
    {"callable", "", is_callable},
    {"defined", "", is_defined},
    {"divisibleby", "num", [](Call& c) -> Value { return equal(c.rt, rest_of(c, c[0]), 0); }},
    {"eq", "other", is_equal},
    {"equalto", "other", is_equal},
    {"escaped", "", [](Call& c) -> Value { return c.self.string() && c.self.string()->markup; }},
    {"even", "", [](Call& c) -> Value { return equal(c.rt, rest_of(c, 2), 0); }},
    {"false", "", [](Call& c) -> Value { return c.self.is_bool() && !c.self.is_true(); }},
    {"filter", "", [](Call& c) -> Value { return c.self.string() && filter_named(text_of(c.self)); }},
    {"float", "", [](Call& c) -> Value { return c.self.as<double>() != nullptr; }},
    {"ge", "other", ordered<at_least>},
    {"greaterthan", "other", ordered<greater>},
    {"gt", "other", ordered<greater>},
    {"in", "seq", [](Call& c) -> Value { return contains(c.rt, c[0], c.self); }},
    {"integer", "", [](Call& c) -> Value { return c.self.is_int() && !c.self.is_bool(); }},
    {"iterable", "", [](Call& c) -> Value { return try_iterate(c.rt, c.self) != nullptr; }},
    {"le", "other", ordered<at_most>},
    {"lessthan", "other", ordered<smaller>},
    {"lower", "", [](Call& c) -> Value { return text_is(c, "islower"); }},
    {"lt", "other", ordered<smaller>},
    {"mapping", "", [](Call& c) -> Value { return c.self.dict() != nullptr; }},
    {"ne", "other", is_unequal},
    {"none", "", [](Call& c) -> Value { return c.self.is_none(); }},
    {"number", "", [](Call& c) -> Value { return c.self.is_number(); }},
    {"odd", "", [](Call& c) -> Value { return equal(c.rt, rest_of(c, 2), 1); }},
    {"sameas", "other", is_same},
    {"sequence", "", is_sequence},
    {"string", "", [](Call& c) -> Value { return c.self.string() != nullptr; }},
    {"test", "", [](Call& c) -> Value { return c.self.string() && test_named(text_of(c.self)); }},
    {"true", "", [](Call& c) -> Value { return c.self.is_true(); }},
    {"undefined", "", [](Call& c) -> Value { return c.self.undefined() != nullptr; }},
    {"upper", "", [](Call& c) -> Value { return text_is(c, "isupper"); }},
};

}  // namespace

const Row* test_named(std::string_view name) { return find_row(rows, name); }

}  // namespace madang::jinja
