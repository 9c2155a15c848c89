// Breaking a paragraph into lines. Python's documentation: "textwrap".
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace madang::jinja {

/// textwrap.wrap without expanding tabs or replacing white space.
std::vector<std::string> wrap(std::string_view line, size_t width, bool break_long_words, bool break_on_hyphens);

}  // namespace madang::jinja
