// How Python writes values down: str() for {{ }}, repr() inside containers, json.dumps for tojson.
#pragma once
#include <optional>
#include <string>

#include "text/jinja/value.h"

namespace madang::jinja {

std::string str_of(Runtime& rt, const Value& v);  // what {{ v }} prints
std::string repr_of(Runtime& rt, const Value& v);
std::string repr_of_float(double d);  // the shortest digits that read back; 1e+16, 1.0, inf, nan
/// Decimal digits. Python refuses integers of more than 4300 digits, and so does this.
std::string digits_of(const Value& integer);

struct JsonForm {
  bool ensure_ascii = false, sort_keys = false;
  std::optional<std::string> indent;  // what one level adds; nothing: all on one line
  std::string comma = ", ", colon = ": ";
};
std::string json_of(Runtime& rt, const Value& v, const JsonForm& form);

}  // namespace madang::jinja
