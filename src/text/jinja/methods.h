// The methods of Python's str, list, tuple, dict, int and float that a template may call.
#pragma once
#include "text/jinja/runtime.h"

namespace madang::jinja {

/// The bound method (or property) of a plain value; Missing where its type has none of that name.
Value method_of(Runtime& rt, const Value& v, std::string_view name);

/// Whether the attribute is one of the methods that would change a list or dict: the sandbox refuses those.
bool changes_container(const Value& v, std::string_view name);

}  // namespace madang::jinja
