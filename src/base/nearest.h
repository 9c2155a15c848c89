// The known word nearest to what was written, for hints: "did you mean ...".
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace madang {

/// By edit distance over bytes less the length of a common beginning; the first one wins ties; "" if nothing is known.
std::string nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace madang
