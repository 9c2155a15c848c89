// Rows and elements over the SIMD vocabulary V. exp is Cody-Waite reduction and a polynomial of degree six (relative
// error below 1.2e-7); everything with an exponential follows from it, so each instruction set gives the same bits as
// its emulated twin.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/table.h"

namespace madang::simd {

template <class V>
typename V::F exp(typename V::F x) {
  using F = typename V::F;
  // Below -87.3 the result is subnormal: give zero. Above 88.3 clamp: softmax and sigmoid never get there. x comes
  // second: what is no number stays none.
  const F clamped = V::min(V::set(88.3f), V::max(V::set(-87.3f), x));
  const F n = V::round(V::mul(clamped, V::set(1.44269504088896341f)));  // log2(e)
  F r = V::fma(n, V::set(-0.693359375f), clamped);                      // ln 2 in two parts
  r = V::fma(n, V::set(2.12194440e-4f), r);
  // Cephes' expf polynomial on [-ln 2 / 2, ln 2 / 2].
  F p = V::set(1.9875691500e-4f);
  p = V::fma(p, r, V::set(1.3981999507e-3f));
  p = V::fma(p, r, V::set(8.3334519073e-3f));
  p = V::fma(p, r, V::set(4.1665795894e-2f));
  p = V::fma(p, r, V::set(1.6666665459e-1f));
  p = V::fma(p, r, V::set(5.0000001201e-1f));
  p = V::add(V::fma(p, V::mul(r, r), r), V::set(1.0f));
  return V::below(x, V::set(-87.3f), V::zero(), V::mul(p, V::power_of_two(n)));
}

template <class V>
typename V::F sigmoid(typename V::F x) {
  return V::div(V::set(1.0f), V::add(V::set(1.0f), exp<V>(V::sub(V::zero(), x))));
}

// tanh(x) = 1 - 2 / (exp(2x) + 1), odd part by sign; near zero the subtraction would lose digits, so a series there.
template <class V>
typename V::F tanh(typename V::F x) {
  using F = typename V::F;
  const F a = V::abs(x), square = V::mul(x, x);
  const F far = V::sub(V::set(1.0f), V::div(V::set(2.0f), V::add(exp<V>(V::add(a, a)), V::set(1.0f))));
  // Cephes' tanhf polynomial for |x| < 0.625.
  F p = V::set(-5.70498872745e-3f);
  p = V::fma(p, square, V::set(2.06390887954e-2f));
  p = V::fma(p, square, V::set(-5.37397155531e-2f));
  p = V::fma(p, square, V::set(1.33314422036e-1f));
  p = V::fma(p, square, V::set(-3.33332819422e-1f));
  const F near = V::fma(V::mul(p, square), x, x);
  const F signed_far = V::below(x, V::zero(), V::sub(V::zero(), far), far);
  return V::below(a, V::set(0.625f), near, signed_far);
}

template <class V>
typename V::F gelu_tanh(typename V::F x) {
  const auto inner = V::mul(V::set(0.7978845608028654f), V::fma(V::mul(V::set(0.044715f), V::mul(x, x)), x, x));
  return V::mul(V::mul(V::set(0.5f), x), V::add(V::set(1.0f), tanh<V>(inner)));
}

/// Calls op(i, n) for pieces of eight; n < 8 for the last.
template <class Op>
void pieces(int64_t n, Op&& op) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) op(i, int64_t{8});
  if (i < n) op(i, n - i);
}

template <class V>
float dot(const float* a, const float* b, int64_t n) {
  auto sum = V::zero();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) sum = V::fma(V::load(a + i), V::load(b + i), sum);
  if (i < n) sum = V::fma(V::load_n(a + i, n - i), V::load_n(b + i, n - i), sum);
  return V::fold(sum);
}

template <class V>
float rms_norm(const float* x, const float* w, float offset, float eps, int64_t n, float* y) {
  const float factor = 1.0f / std::sqrt(dot<V>(x, x, n) / static_cast<float>(n) + eps);
  pieces(n, [&](int64_t i, int64_t k) {
    const auto scaled = V::mul(V::load_n(x + i, k), V::set(factor));
    V::store_n(y + i, w ? V::mul(scaled, V::add(V::load_n(w + i, k), V::set(offset))) : scaled, k);
  });
  return factor;
}

template <class V>
typename V::F silu(typename V::F x) {
  return V::mul(x, sigmoid<V>(x));
}

template <class V>
typename V::F relu(typename V::F x) {
  return V::max(V::zero(), x);
}

template <class V>
typename V::F relu2(typename V::F x) {
  return V::mul(relu<V>(x), relu<V>(x));
}

// softplus(x) = max(x, 0) + log(1 + y), y = exp(-|x|) in (0, 1], and log(1 + y) = 2 atanh(s), s = y / (2 + y) at most
// 1/3: the odd series to s^17, whose rest is below 1e-9 of it.
template <class V>
typename V::F softplus(typename V::F x) {
  using F = typename V::F;
  const F y = exp<V>(V::sub(V::zero(), V::abs(x)));
  const F s = V::div(y, V::add(V::set(2.0f), y)), square = V::mul(s, s);
  F p = V::set(1.0f / 17);
  for (int k = 15; k >= 1; k -= 2) p = V::fma(p, square, V::set(1.0f / static_cast<float>(k)));
  return V::fma(V::add(s, s), p, V::max(V::zero(), x));
}

/// The vector form of an activation, or null if there is none (erf).
template <class V>
auto curve_of(Act kind) -> typename V::F (*)(typename V::F) {
  switch (kind) {
    case Act::silu:
      return silu<V>;
    case Act::gelu_tanh:
      return gelu_tanh<V>;
    case Act::relu:
      return relu<V>;
    case Act::relu2:
      return relu2<V>;
    case Act::sigmoid:
      return sigmoid<V>;
    case Act::tanh:
      return tanh<V>;
    case Act::softplus:
      return softplus<V>;
    default:
      return nullptr;
  }
}

template <class V>
void act(Act kind, const float* x, int64_t n, float* y) {
  const auto curve = curve_of<V>(kind);
  if (!curve) return ref_kernels.act(kind, x, n, y);
  pieces(n, [&](int64_t i, int64_t k) { V::store_n(y + i, curve(V::load_n(x + i, k)), k); });
}

template <class V>
void gated(Act kind, const float* gate, const float* up, int64_t n, float* y) {
  const auto curve = curve_of<V>(kind);
  if (!curve) return ref_kernels.gated(kind, gate, up, n, y);
  pieces(n, [&](int64_t i, int64_t k) {
    V::store_n(y + i, V::mul(curve(V::load_n(gate + i, k)), V::load_n(up + i, k)), k);
  });
}

template <class V>
void add(const float* a, const float* b, int64_t n, float* y) {
  pieces(n, [&](int64_t i, int64_t k) { V::store_n(y + i, V::add(V::load_n(a + i, k), V::load_n(b + i, k)), k); });
}

template <class V>
void scale(const float* x, float s, int64_t n, float* y) {
  pieces(n, [&](int64_t i, int64_t k) { V::store_n(y + i, V::mul(V::load_n(x + i, k), V::set(s)), k); });
}

/// y = exp(x - largest); returns the sum in eight lanes.
template <class V>
float exp_sum(const float* x, float largest, int64_t n, float* y) {
  auto sum = V::zero();
  pieces(n, [&](int64_t i, int64_t k) {
    V::store_n(y + i, exp<V>(V::sub(V::load_n(x + i, k), V::set(largest))), k);
    sum = V::add(sum, V::load_n(y + i, k));
  });
  return V::fold(sum);
}

template <class V>
float largest_of(const float* x, int64_t n) {
  auto top = V::set(-std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) top = V::max(V::load(x + i), top);
  float lanes[8];
  V::store(lanes, top);
  float largest = lanes[0];
  for (float lane : lanes) largest = std::max(largest, lane);
  for (; i < n; ++i) largest = std::max(largest, x[i]);
  return largest;
}

template <class V>
void softmax(const float* x, int64_t n, float* y) {
  const float sum = exp_sum<V>(x, largest_of<V>(x, n), n, y);
  scale<V>(y, 1.0f / sum, n, y);
}

template <class V>
void rope(const float* x, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* y) {
  const int64_t half = rotary / 2;
  pieces(half, [&](int64_t i, int64_t k) {
    const auto a = V::load_n(x + i, k), b = V::load_n(x + half + i, k), c = V::load_n(cos + i, k),
               s = V::load_n(sin + i, k);
    V::store_n(y + i, V::sub(V::mul(a, c), V::mul(b, s)), k);
    V::store_n(y + half + i, V::add(V::mul(b, c), V::mul(a, s)), k);
  });
  for (int64_t i = rotary; i < dim; ++i) y[i] = x[i];
}

/// Activations as the products of panels take them: Int8Rows.
template <class V>
void to_int8(const float* x, int64_t begin, int64_t end, const Int8Rows& out) {
  const int64_t groups = out.groups(), slots = out.slots();
  for (int64_t r = begin; r < end; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      const float* p = x + r * out.cols + g * 32;
      const int64_t slot = out.slot(r, g);
      typename V::F v[4], top = V::zero(), none = V::zero();
      for (int i = 0; i < 4; ++i) {
        v[i] = V::load(p + 8 * i), top = V::max(top, V::abs(v[i]));
        none = V::fma(v[i], V::zero(), none);  // no number once a value is not finite
      }
      float lanes[8], largest = 0;
      V::store(lanes, top);
      for (float lane : lanes) largest = std::max(largest, lane);
      largest += V::fold(none);
      const auto inverse = V::set(largest > 0 ? 127.0f / largest : 0.0f);
      for (auto& f : v) f = V::round(V::mul(f, inverse));
      const auto codes = V::pack(v[0], v[1], v[2], v[3]);
      V::store_bytes(out.code + slot * 32, codes);
      int16_t sums[2][2];
      V::pair_sums(codes, sums);
      out.less[slot] = Int8Rows::both(-sums[0][0] - sums[1][0], -sums[0][1] - sums[1][1]);
      for (int h = 0; h < 2; ++h) out.less[(h + 1) * slots + slot] = Int8Rows::both(-sums[h][0], -sums[h][1]);
      out.scale[slot] = largest / 127.0f;
      out.low[slot] = out.scale[slot] * static_cast<float>(Int8Rows::whole(out.less[slot]));
    }
}

}  // namespace madang::simd
