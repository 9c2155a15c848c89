// The methods of Python's str.
#pragma once
#include "text/jinja/arguments.h"

namespace madang::jinja {

const Row* text_method(std::string_view name);  // null: str has none of that name

}  // namespace madang::jinja
