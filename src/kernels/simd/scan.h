// The selective scan over the SIMD vocabulary V: states of one channel are the lanes (models have 16 of them).
#pragma once
#include "kernels/simd/elements.h"

namespace madang::simd {

template <class V>
void scan(const ScanTask& s) {
  const int64_t N = s.states;
  if (N % 8 != 0 || s.history) return ref_kernels.scan(s);
  for (int64_t t = 0; t < s.n; ++t)
    for (int64_t c = s.begin; c < s.end; ++c) {
      const float x = s.x[t * s.channels + c], delta = s.delta[t * s.channels + c];
      float* h = s.h + c * N;
      auto y = V::zero();
      for (int64_t k = 0; k < N; k += 8) {
        const auto decay = exp<V>(V::mul(V::set(delta), V::load(s.A + c * N + k)));
        const auto input = V::mul(V::mul(V::set(delta), V::load(s.B + t * s.bc_stride + k)), V::set(x));
        const auto next = V::fma(decay, V::load(h + k), input);
        V::store(h + k, next);
        y = V::fma(next, V::load(s.C + t * s.bc_stride + k), y);
      }
      s.y[t * s.channels + c] = std::fma(s.D[c], x, V::fold(y));
    }
}

}  // namespace madang::simd
