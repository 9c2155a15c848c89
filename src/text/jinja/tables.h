// The tables a template's words are looked up in: filters, tests, global functions.
#pragma once
#include <map>

#include "text/jinja/arguments.h"

namespace madang::jinja {

const Row* filter_named(std::string_view name);  // null: there is none
const Row* test_named(std::string_view name);
/// range, dict, namespace, cycler, joiner, raise_exception, strftime_now; Missing for other names.
Value global_named(std::string_view name);

// The families that filter_named looks through, each in a file of its own.
const Row* text_filter(std::string_view name);
const Row* number_filter(std::string_view name);
const Row* sequence_filter(std::string_view name);
const Row* mapping_filter(std::string_view name);  // map, select, groupby ...: those that look into elements
const Row* html_filter(std::string_view name);

}  // namespace madang::jinja
