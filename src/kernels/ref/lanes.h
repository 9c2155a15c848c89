// The eight-lane sum of table.h, in plain C++.
#pragma once
#include <cmath>
#include <cstdint>

namespace madang::ref {

struct Lanes {
  float lane[8] = {};
  void fma(const float* a, const float* b, int64_t n) {
    for (int64_t i = 0; i < n; ++i) lane[i & 7] = std::fma(a[i], b[i], lane[i & 7]);
  }
  float fold() const {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
  }
};

inline float dot(const float* a, const float* b, int64_t n) {
  Lanes lanes;
  lanes.fma(a, b, n);
  return lanes.fold();
}

}  // namespace madang::ref
