// Weighted averages and matrix memories over the SIMD vocabulary V: channels of the one and keys of the other are the
// lanes.
#pragma once
#include "kernels/simd/elements.h"

namespace madang::simd {

template <class V>
void wkv(const WkvTask& s) {
  if (s.history) return ref_kernels.wkv(s);
  const int64_t C = s.channels;
  const auto zero = V::zero();
  for (int64_t t = 0; t < s.n; ++t)
    pieces(s.end - s.begin, [&](int64_t i, int64_t n) {
      float *state = s.state + s.begin + i, *y = s.y + t * C + s.begin + i;
      const auto k = V::load_n(s.k + t * C + s.begin + i, n), v = V::load_n(s.v + t * C + s.begin + i, n);
      const auto with = V::load_n(state, n), without = V::load_n(state + C, n);
      // The exponent of an empty past: whatever comes first is larger.
      const auto past = V::below(zero, without, V::load_n(state + 2 * C, n), V::set(-1e38f));
      const auto now = V::add(k, V::load_n(s.u + s.begin + i, n)), top = V::max(past, now);
      auto e1 = exp<V>(V::sub(past, top)), e2 = exp<V>(V::sub(now, top));
      V::store_n(y, V::div(V::fma(e2, v, V::mul(e1, with)), V::fma(e1, without, e2)), n);
      const auto kept = V::add(past, V::load_n(s.w + s.begin + i, n)), largest = V::max(kept, k);
      e1 = exp<V>(V::sub(kept, largest)), e2 = exp<V>(V::sub(k, largest));
      V::store_n(state, V::fma(e2, v, V::mul(e1, with)), n);
      V::store_n(state + C, V::fma(e1, without, e2), n);
      V::store_n(state + 2 * C, largest, n);
    });
}

template <class V>
void memory(const MemoryTask& m) {
  const int64_t K = m.keys;
  if (m.history || K % 8 != 0) return ref_kernels.memory(m);
  for (int64_t row = m.begin; row < m.end; ++row) {
    const int64_t head = row / m.values;
    float* S = m.S + row * K;
    for (int64_t t = 0; t < m.n; ++t) {
      const int64_t at = (t * m.heads + head) * K, out = t * m.heads * m.values + row;
      const float *r = m.r + at, *k = m.k + at, *b = m.b + (m.a ? at : 0);
      const float* w = m.w + t * m.w_token + head * m.w_head;
      const auto v = V::set(m.v[out]), heard = V::set(m.a ? dot<V>(S, m.a + at, K) : 0.0f);
      auto y = V::zero();
      for (int64_t j = 0; j < K; j += 8) {
        const auto old = V::load(S + j), decay = m.w_key ? V::load(w + j) : V::set(*w);
        auto added = V::mul(v, V::load(k + j));
        if (m.a) added = V::fma(heard, V::load(b + j), added);
        const auto now = V::fma(old, decay, added);
        V::store(S + j, now);
        y = V::fma(m.fresh ? now : old, V::load(r + j), y);
      }
      m.y[out] = V::fold(y);
    }
  }
}

}  // namespace madang::simd
