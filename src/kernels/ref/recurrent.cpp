// Selective scans and causal convolution in step order, as plain loops, with their gradients.
#include <cmath>
#include <vector>

#include "kernels/ref/ref.h"

namespace madang::ref {

void scan(const ScanTask& s) {
  const int64_t N = s.states;
  for (int64_t t = 0; t < s.n; ++t)
    for (int64_t c = s.begin; c < s.end; ++c) {
      const float x = s.x[t * s.channels + c], delta = s.delta[t * s.channels + c];
      float* h = s.h + c * N;
      float* past = s.history ? s.history + (t * s.channels + c) * N : nullptr;
      float y = 0;
      for (int64_t k = 0; k < N; ++k) {
        if (past) past[k] = h[k];
        float decay = std::exp(delta * s.A[c * N + k]);
        h[k] = std::fma(decay, h[k], delta * s.B[t * s.bc_stride + k] * x);
        y = std::fma(h[k], s.C[t * s.bc_stride + k], y);
        if (past) past[s.channels * N + k] = h[k];
      }
      s.y[t * s.channels + c] = std::fma(s.D[c], x, y);
    }
}

// Backwards through h_t = a_t h_{t-1} + delta_t B_t x_t with a_t = exp(delta_t A); g carries dL/dh_t.
void scan_back(const ScanTask& s, const float* dy, float* dx, float* ddelta, float* dA, float* dD, float* dB,
               float* dC) {
  const int64_t N = s.states;
  std::vector<float> g(static_cast<size_t>(N));
  for (int64_t c = s.begin; c < s.end; ++c) {
    g.assign(g.size(), 0.0f);
    for (int64_t t = s.n - 1; t >= 0; --t) {
      const int64_t at = t * s.channels + c;
      const float x = s.x[at], delta = s.delta[at], d = dy[at];
      const float* before = s.history + at * N;
      const float* after = before + s.channels * N;
      dx[at] += d * s.D[c];
      if (dD) dD[c] += d * x;
      float to_x = 0, to_delta = 0;
      for (int64_t k = 0; k < N; ++k) {
        const float B = s.B[t * s.bc_stride + k], C = s.C[t * s.bc_stride + k], A = s.A[c * N + k];
        float& gk = g[static_cast<size_t>(k)];
        gk += d * C;
        dC[t * N + k] += d * after[k];
        const float decay = std::exp(delta * A);
        to_x += gk * delta * B;
        to_delta += gk * (decay * A * before[k] + B * x);
        dB[t * N + k] += gk * delta * x;
        if (dA) dA[c * N + k] += gk * decay * delta * before[k];
        gk *= decay;
      }
      dx[at] += to_x;
      ddelta[at] += to_delta;
    }
  }
}

void ssd(const SsdTask& s) {
  const int64_t P = s.head_dim, N = s.states;
  for (int64_t i = s.begin; i < s.end; ++i)
    for (int64_t t = 0; t < s.n; ++t) {
      const float delta = s.delta[t * s.heads + i], decay = std::exp(delta * s.A[i]);
      const int64_t at = t * s.groups * N + s.states_of(i);
      for (int64_t p = 0; p < P; ++p) {
        const float x = s.x[(t * s.heads + i) * P + p];
        float* h = s.h + (i * P + p) * N;
        float y = 0;
        for (int64_t k = 0; k < N; ++k) {
          h[k] = std::fma(decay, h[k], delta * x * s.B[at + k]);
          y = std::fma(h[k], s.C[at + k], y);
        }
        s.y[(t * s.heads + i) * P + p] = std::fma(s.D[i], x, y);
      }
    }
}

namespace {

/// h before every step and after the last, of one head: [n + 1, head_dim, states].
std::vector<float> states_of_head(const SsdTask& s, int64_t i) {
  const int64_t P = s.head_dim, N = s.states;
  std::vector<float> all(static_cast<size_t>((s.n + 1) * P * N), 0.0f);
  for (int64_t t = 0; t < s.n; ++t) {
    const float delta = s.delta[t * s.heads + i], decay = std::exp(delta * s.A[i]);
    const float* B = s.B + t * s.groups * N + s.states_of(i);
    const float* before = all.data() + t * P * N;
    float* after = all.data() + (t + 1) * P * N;
    for (int64_t p = 0; p < P; ++p)
      for (int64_t k = 0; k < N; ++k)
        after[p * N + k] = std::fma(decay, before[p * N + k], delta * s.x[(t * s.heads + i) * P + p] * B[k]);
  }
  return all;
}

}  // namespace

// Backwards through h_t = a_t h_{t-1} + delta_t x_t B_t with a_t = exp(delta_t A); g carries dL/dh_t.
void ssd_back(const SsdTask& s, const float* dy, float* dx, float* ddelta, float* dA, float* dD, float* dB, float* dC) {
  const int64_t P = s.head_dim, N = s.states;
  std::vector<float> g(static_cast<size_t>(P * N));
  for (int64_t i = s.begin; i < s.end; ++i) {
    const std::vector<float> states = states_of_head(s, i);
    g.assign(g.size(), 0.0f);
    for (int64_t t = s.n - 1; t >= 0; --t) {
      const float delta = s.delta[t * s.heads + i], decay = std::exp(delta * s.A[i]);
      const int64_t at = t * s.groups * N + s.states_of(i), own = (i * s.n + t) * N;
      float to_decay = 0, to_delta = 0;
      for (int64_t p = 0; p < P; ++p) {
        const int64_t channel = (t * s.heads + i) * P + p;
        const float x = s.x[channel], d = dy[channel];
        const float* before = states.data() + (t * P + p) * N;
        const float* after = before + P * N;
        float to_x = 0;
        for (int64_t k = 0; k < N; ++k) {
          float& gk = g[static_cast<size_t>(p * N + k)];
          gk += d * s.C[at + k];
          dC[own + k] += d * after[k];
          to_x += gk * s.B[at + k];
          dB[own + k] += gk * delta * x;
          to_decay += gk * before[k];
          gk *= decay;
        }
        dx[channel] += d * s.D[i] + delta * to_x;
        if (dD) dD[i] += d * x;
        to_delta += x * to_x;
      }
      ddelta[t * s.heads + i] += to_delta + to_decay * decay * s.A[i];
      dA[i] += to_decay * decay * delta;
    }
  }
}

void conv(const ConvTask& s) {
  const int64_t past = s.width - 1;
  for (int64_t c = s.begin; c < s.end; ++c) {
    for (int64_t t = 0; t < s.n; ++t) {
      float y = s.bias ? s.bias[c] : 0.0f;
      for (int64_t k = 0; k < s.width; ++k) {
        int64_t at = t - past + k;
        float x = at < 0 ? s.past[(past + at) * s.channels + c] : s.x[at * s.channels + c];
        y = std::fma(s.w[c * s.width + k], x, y);
      }
      s.y[t * s.channels + c] = y;
    }
    // Rows move towards the front, so in ascending order none is overwritten before it is read.
    for (int64_t k = 0; k < past; ++k) {
      int64_t at = s.n - past + k;
      s.past[k * s.channels + c] = at < 0 ? s.past[(past + at) * s.channels + c] : s.x[at * s.channels + c];
    }
  }
}

void conv_back(const ConvTask& s, const float* dy, float* dx, float* dw, float* dbias) {
  const int64_t past = s.width - 1;
  for (int64_t c = s.begin; c < s.end; ++c)
    for (int64_t t = 0; t < s.n; ++t) {
      float d = dy[t * s.channels + c];
      if (dbias) dbias[c] += d;
      for (int64_t k = 0; k < s.width; ++k) {
        int64_t at = t - past + k;
        if (at < 0) continue;  // training starts from nothing: the past is zero
        dx[at * s.channels + c] += d * s.w[c * s.width + k];
        if (dw) dw[c * s.width + k] += d * s.x[at * s.channels + c];
      }
    }
}

}  // namespace madang::ref
