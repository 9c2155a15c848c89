// The known word nearest to what was written, for hints: "did you mean ...".
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace madang {

/// By edit distance over bytes less the length of a common beginning; the first one wins ties; "" if nothing is known.
std::string nearest(std::string_view word, std::span<const std::string_view> known);

/// Bytes to insert, drop or change (Levenshtein 1965).
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace madang
