// What this program calls itself.
#pragma once
#include <string_view>

namespace madang {

inline constexpr std::string_view version = "0.1.0";

}  // namespace madang
