// What goes along the sequence by steps, over the SIMD vocabulary V. Of the selective scans the states of one channel
// are the lanes (Mamba has 16 of them, Mamba-2 64 or more), of the convolution the channels.
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
void conv(const ConvTask& s) {
  const int64_t past = s.width - 1;
  std::vector<float> taps(static_cast<size_t>(8 * s.width));  // of eight channels, side by side
  for (int64_t c = s.begin; c < s.end; c += 8) {
    const int64_t held = std::min<int64_t>(8, s.end - c);
    for (int64_t i = 0; i < held; ++i)
      for (int64_t k = 0; k < s.width; ++k) taps[static_cast<size_t>(8 * k + i)] = s.w[(c + i) * s.width + k];
    // Row `at` of the sequence, or of what was before it.
    auto row = [&](int64_t at) { return (at < 0 ? s.past + (past + at) * s.channels : s.x + at * s.channels) + c; };
    for (int64_t t = 0; t < s.n; ++t) {
      auto y = s.bias ? V::load_n(s.bias + c, held) : V::zero();
      for (int64_t k = 0; k < s.width; ++k)
        y = V::fma(V::load(taps.data() + 8 * k), V::load_n(row(t - past + k), held), y);
      V::store_n(s.y + t * s.channels + c, y, held);
    }
    // Rows move towards the front, so in ascending order none is overwritten before it is read.
    for (int64_t k = 0; k < past; ++k)
      V::store_n(s.past + k * s.channels + c, V::load_n(row(s.n - past + k), held), held);
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
