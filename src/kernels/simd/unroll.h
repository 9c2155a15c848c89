// A loop whose turns the compiler sees one by one.
#pragma once
#include <utility>

namespace madang::simd {

/// body(std::integral_constant<int, i>) for i in 0 .. n - 1, unrolled: arrays it indexes stay in registers.
template <int n, class Body>
[[gnu::always_inline]] static inline void each_of(Body&& body) {
  [&]<int... i>(std::integer_sequence<int, i...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, i>{}), ...);
  }(std::make_integer_sequence<int, n>{});
}

}  // namespace madang::simd
