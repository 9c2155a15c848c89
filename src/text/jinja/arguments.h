// How arguments meet parameters, for filters, tests, functions and methods alike: each is one row of a table, with
// its parameters written as in Python's documentation.
#pragma once
#include "text/jinja/runtime.h"

namespace madang::jinja {

/// A call of a native function, its arguments in the order of its parameters.
struct Call {
  Runtime& rt;
  Value self;        // the value a filter or test is applied to, the receiver of a method
  Values given;      // by parameter; Missing where the caller gave none
  Arguments others;  // what `*` in the signature took

  bool has(size_t i) const { return !given[i].is_missing(); }
  const Value& operator[](size_t i) const { return given[i]; }
  Value or_else(size_t i, Value otherwise) const { return has(i) ? given[i] : otherwise; }
  bool flag(size_t i, bool otherwise = false) const { return has(i) ? truth(rt, given[i]) : otherwise; }
};

using Native = Value (*)(Call&);

/// "width=? first=? blank=?": names in order; `?` may be left out; `/` first: by position only; `*`: anything more.
struct Row {
  const char* name;
  const char* parameters;
  Native body;
};

/// Binds and calls. Throws Kind::mismatch for missing, surplus, unknown and doubled arguments.
Value invoke(Runtime& rt, const Row& row, const Value& self, Arguments arguments);

template <size_t N>
const Row* find_row(const Row (&rows)[N], std::string_view name) {
  for (auto& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace madang::jinja
