// The two ways Python fills a form: "%s of %d" % (a, b) and "{} of {}".format(a, b).
// Python's documentation: "printf-style String Formatting", "Format String Syntax".
#pragma once
#include <string>

#include "text/jinja/runtime.h"

namespace madang::jinja {

Value percent_format(Runtime& rt, const String& form, const Value& arguments);

/// str.format; fields reach into values through the sandbox only, as everywhere.
Value brace_format(Runtime& rt, const String& form, const Arguments& arguments);

/// format(v, spec) with Python's format specification, such as ">8,.2f".
std::string format_value(Runtime& rt, const Value& v, std::string_view spec);

}  // namespace madang::jinja
