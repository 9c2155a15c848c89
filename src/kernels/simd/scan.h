// The selective scans over the SIMD vocabulary V: states of one channel are the lanes (Mamba has 16 of them, Mamba-2 64
// or more).
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

template <class V>
void ssd(const SsdTask& s) {
  const int64_t P = s.head_dim, N = s.states;
  if (N % 8 != 0) return ref_kernels.ssd(s);
  for (int64_t i = s.begin; i < s.end; ++i)
    for (int64_t t = 0; t < s.n; ++t) {
      const float delta = s.delta[t * s.heads + i];
      const auto decay = V::set(std::exp(delta * s.A[i]));
      const float* B = s.B + t * s.groups * N + s.states_of(i);
      const float* C = s.C + t * s.groups * N + s.states_of(i);
      for (int64_t p = 0; p < P; ++p) {
        const float x = s.x[(t * s.heads + i) * P + p];
        float* h = s.h + (i * P + p) * N;
        auto y = V::zero();
        for (int64_t k = 0; k < N; k += 8) {
          const auto next = V::fma(decay, V::load(h + k), V::mul(V::set(delta * x), V::load(B + k)));
          V::store(h + k, next);
          y = V::fma(next, V::load(C + k), y);
        }
        s.y[(t * s.heads + i) * P + p] = std::fma(s.D[i], x, V::fold(y));
      }
    }
}

}  // namespace madang::simd
