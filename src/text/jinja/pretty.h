// Values laid out over several lines. Python's documentation: "pprint".
#pragma once
#include <string>

#include "text/jinja/runtime.h"

namespace madang::jinja {

/// pprint.pformat at 80 columns: dicts by key, what does not fit broken into one element a line. Long texts are not
/// broken.
std::string pretty(Runtime& rt, const Value& v);

}  // namespace madang::jinja
