// Python's operators on values. Jinja's documentation: "Math", "Comparisons", "Other Operators" (in, [], .).
#pragma once
#include <optional>

#include "text/jinja/runtime.h"

namespace madang::jinja {

enum class Operator : uint8_t { add, sub, mul, div, floordiv, mod, pow };

Value binary(Runtime& rt, Operator op, const Value& a, const Value& b);
Value negate(const Value& v);
Value absolute(const Value& v);

bool less(Runtime& rt, const Value& a, const Value& b);
/// <0, 0, >0, or nothing for a nan. Throws for types that Python does not order.
std::optional<int> compare(Runtime& rt, const Value& a, const Value& b);
bool contains(Runtime& rt, const Value& whole, const Value& part);

/// a.name: the attribute (methods), then the key.  a[key]: the key, then the attribute. Undefined when there is
/// neither, or when the sandbox forbids it.
Value get_attribute(Runtime& rt, const Value& v, const std::string& name);
Value get_item(Runtime& rt, const Value& v, const Value& key);
/// Only the attribute, as Python's getattr: Missing where there is none, and no sandbox.
Value own_attribute(Runtime& rt, const Value& v, std::string_view name);

/// v[start:stop:step]; None where a part is absent.
Value slice(Runtime& rt, const Value& v, const Value& start, const Value& stop, const Value& step);

/// str(v), kept as it is where v is a string (and Markup stays Markup).
Value soft_string(Runtime& rt, const Value& v);
Value to_markup(Runtime& rt, const Value& v);  // escape(v)

/// A value that must be an integer in int64's range, for indices, widths, counts.
int64_t to_index(const Value& v);
double to_double(const Value& number);
Value truncated(double d);  // int(d); throws for inf and nan

}  // namespace madang::jinja
