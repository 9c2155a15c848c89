// Weighted averages and matrix memories in step order, as plain loops, with their gradients.
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"

namespace madang::ref {
namespace {

// The exponent of an empty past: whatever comes first is larger.
constexpr float nothing = -1e38f;

}  // namespace

void wkv(const WkvTask& s) {
  const int64_t C = s.channels;
  for (int64_t t = 0; t < s.n; ++t)
    for (int64_t c = s.begin; c < s.end; ++c) {
      float &with = s.state[c], &without = s.state[C + c], &largest = s.state[2 * C + c];
      if (s.history)
        for (int64_t i = 0; i < 3; ++i) s.history[(3 * t + i) * C + c] = s.state[i * C + c];
      const float k = s.k[t * C + c], v = s.v[t * C + c], past = without > 0 ? largest : nothing;
      const float now = k + s.u[c], top = std::max(past, now);
      float e1 = std::exp(past - top), e2 = std::exp(now - top);
      s.y[t * C + c] = std::fma(e2, v, e1 * with) / std::fma(e1, without, e2);
      const float kept = past + s.w[c];
      largest = std::max(kept, k);
      e1 = std::exp(kept - largest), e2 = std::exp(k - largest);
      with = std::fma(e2, v, e1 * with), without = std::fma(e1, without, e2);
    }
}

// Backwards through A_{t+1} = e^w A_t + e^k_t v_t, B_{t+1} = e^w B_t + e^k_t and y = (A + e^(u+k) v) / (B + e^(u+k)).
// gA and gB carry dL/dA, dL/dB divided by exp(scale), in double: products with e^k stay near one.
void wkv_back(const WkvTask& s, const float* dy, float* dk, float* dv, float* dw, float* du) {
  const int64_t C = s.channels;
  for (int64_t c = s.begin; c < s.end; ++c) {
    double gA = 0, gB = 0, scale = static_cast<double>(nothing), to_w = 0, to_u = 0;
    const double w = s.w[c];
    for (int64_t t = s.n - 1; t >= 0; --t) {
      const int64_t at = t * C + c;
      const float* before = s.history + 3 * t * C + c;
      const double k = s.k[at], v = s.v[at], d = dy[at], a = before[0], b = before[C];
      const double past = b > 0 ? before[2 * C] : nothing, top = std::max(past, k + s.u[c]);
      const double e1 = std::exp(past - top), e2 = std::exp(k + s.u[c] - top), below = e1 * b + e2;
      const double y = (e1 * a + e2 * v) / below, bonus = d * (v - y) * e2 / below;
      const double ek = std::exp(k + scale), ew = std::exp(w + past + scale);
      to_u += bonus, to_w += ew * (gA * a + gB * b);
      dk[at] += static_cast<float>(bonus + ek * (gA * v + gB));
      dv[at] += static_cast<float>(d * e2 / below + ek * gA);
      const double next = std::max(w + scale, -top), keep = std::exp(w + scale - next), add = std::exp(-top - next);
      gA = keep * gA + add * d / below, gB = keep * gB - add * d * y / below, scale = next;
    }
    dw[c] += static_cast<float>(to_w), du[c] += static_cast<float>(to_u);
  }
}

void memory(const MemoryTask& m) {
  const int64_t K = m.keys, size = m.heads * m.values * K;
  for (int64_t row = m.begin; row < m.end; ++row) {
    const int64_t head = row / m.values;
    float* S = m.S + row * K;
    for (int64_t t = 0; t < m.n; ++t) {
      const int64_t at = (t * m.heads + head) * K, out = t * m.heads * m.values + row;
      const float *k = m.k + at, *w = m.w + t * m.w_token + head * m.w_head, v = m.v[out];
      if (m.history) std::copy_n(S, K, m.history + t * size + row * K);
      if (!m.fresh) m.y[out] = dot(S, m.r + at, K);
      const float heard = m.a ? dot(S, m.a + at, K) : 0;
      for (int64_t j = 0; j < K; ++j) {
        const float added = m.a ? std::fma(heard, m.b[at + j], v * k[j]) : v * k[j];
        S[j] = std::fma(S[j], w[j * m.w_key], added);
      }
      if (m.fresh) m.y[out] = dot(S, m.r + at, K);
    }
    if (m.history) std::copy_n(S, K, m.history + m.n * size + row * K);
  }
}

namespace {

/// One row of one step; g carries dL/dS of the row, after the step on entry and before it on return.
struct RowBack {
  const MemoryTask& m;
  const float *r, *k, *a, *b, *w;  // of the step
  float *dr, *dk, *da, *db, *dw;   // likewise
  void operator()(const float* before, const float* after, float v, float d, float* g, float& dv) const {
    const int64_t K = m.keys;
    if (m.fresh)
      for (int64_t j = 0; j < K; ++j) g[j] += d * r[j], dr[j] += d * after[j];
    const float heard = a ? dot(before, a, K) : 0, to_heard = a ? dot(g, b, K) : 0;
    dv += dot(g, k, K);
    for (int64_t j = 0; j < K; ++j) {
      dk[j] += g[j] * v, dw[j * m.w_key] += g[j] * before[j];
      if (a) db[j] += g[j] * heard, da[j] += to_heard * before[j];
      g[j] = g[j] * w[j * m.w_key] + (a ? to_heard * a[j] : 0);
    }
    if (!m.fresh)
      for (int64_t j = 0; j < K; ++j) g[j] += d * r[j], dr[j] += d * before[j];
  }
};

}  // namespace

void memory_back(const MemoryTask& m, const float* dy, float* dr, float* dk, float* da, float* db, float* dv,
                 float* dw) {
  const int64_t K = m.keys, size = m.heads * m.values * K;
  auto moved = [](auto* p, int64_t by) { return p ? p + by : nullptr; };
  std::vector<float> g(static_cast<size_t>(m.values * K));
  for (int64_t head = m.begin / m.values; head < m.end / m.values; ++head) {
    std::fill(g.begin(), g.end(), 0.0f);
    for (int64_t t = m.n - 1; t >= 0; --t) {
      const int64_t at = (t * m.heads + head) * K, w_at = t * m.w_token + head * m.w_head;
      const RowBack back{m,       m.r + at, m.k + at,      moved(m.a, at), moved(m.b, at), m.w + w_at,
                         dr + at, dk + at,  moved(da, at), moved(db, at),  dw + w_at};
      for (int64_t i = 0; i < m.values; ++i) {
        const int64_t row = head * m.values + i, out = t * m.heads * m.values + row;
        const float* before = m.history + t * size + row * K;
        back(before, before + size, m.v[out], dy[out], g.data() + i * K, dv[out]);
      }
    }
  }
}

}  // namespace madang::ref
