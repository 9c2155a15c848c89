// Arithmetic that says when it wraps, and names from files made fit to be shown.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace madang {

/// a * b of non-negative numbers; false if it passes 2^63 - 1.
inline bool multiply(int64_t a, int64_t b, int64_t& product) { return !__builtin_mul_overflow(a, b, &product); }

/// The number of elements of a shape without negative axes; false if it passes 2^63 - 1. A zero axis does not hide a
/// product that wraps before it.
inline bool count_elements(std::span<const int64_t> shape, int64_t& n) {
  n = 1;
  bool empty = false;
  for (int64_t axis : shape) {
    if (axis == 0)
      empty = true;
    else if (!multiply(n, axis, n))
      return false;
  }
  if (empty) n = 0;
  return true;
}

/// "[64, 256]"
inline std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// A name out of a file, quoted, with control characters escaped and broken UTF-8 replaced, cut at 120 bytes: what a
/// file says must not reach a terminal raw.
inline std::string shown(std::string_view name) {
  std::string text = Json(name.substr(0, 120)).dump(-1, ' ', false, Json::error_handler_t::replace);
  if (name.size() > 120) text += "...";
  return text;
}

}  // namespace madang
