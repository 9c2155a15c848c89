// Rows and elements, as plain loops, each with its gradient beside it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"

namespace madang::ref {

float dot_row(const float* a, const float* b, int64_t n) { return dot(a, b, n); }

float rms_norm(const float* x, const float* w, float offset, float eps, int64_t n, float* y) {
  float factor = 1.0f / std::sqrt(dot(x, x, n) / static_cast<float>(n) + eps);
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor * (w ? w[i] + offset : 1.0f);
  return factor;
}

// y_i = x_i f g_i with f = (mean x^2 + eps)^(-1/2):  dx_i = f g_i dy_i - x_i f^3 / n * sum_j x_j g_j dy_j
void rms_norm_back(const float* x, const float* w, float offset, float f, const float* dy, int64_t n, float* dx,
                   float* dw) {
  double along = 0;
  for (int64_t i = 0; i < n; ++i) along += static_cast<double>(x[i]) * (w ? w[i] + offset : 1.0f) * dy[i];
  float pull = static_cast<float>(along) * f * f * f / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) {
    dx[i] += f * (w ? w[i] + offset : 1.0f) * dy[i] - x[i] * pull;
    if (dw) dw[i] += x[i] * f * dy[i];
  }
}

namespace {

constexpr float sqrt_2_over_pi = 0.7978845608028654f, cubic = 0.044715f;

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

float value(Act act, float x) {
  switch (act) {
    case Act::silu:
      return x * sigmoid(x);
    case Act::gelu_tanh:
      return 0.5f * x * (1.0f + std::tanh(sqrt_2_over_pi * (x + cubic * x * x * x)));
    case Act::gelu_erf:
      return 0.5f * x * (1.0f + std::erf(x * static_cast<float>(std::numbers::sqrt2 / 2)));
    case Act::relu:
      return std::max(x, 0.0f);
    case Act::relu2:
      return x <= 0 ? 0.0f : x * x;
    case Act::sigmoid:
      return sigmoid(x);
    case Act::tanh:
      return std::tanh(x);
    case Act::softplus:
      return x > 20.0f ? x : std::log1p(std::exp(x));  // PyTorch's threshold
    case Act::count:
      break;
  }
  return x;
}

float slope(Act act, float x) {
  switch (act) {
    case Act::silu: {
      float s = sigmoid(x);
      return s * (1.0f + x * (1.0f - s));
    }
    case Act::gelu_tanh: {
      float t = std::tanh(sqrt_2_over_pi * (x + cubic * x * x * x));
      return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * sqrt_2_over_pi * (1.0f + 3.0f * cubic * x * x);
    }
    case Act::gelu_erf:
      return 0.5f * (1.0f + std::erf(x * static_cast<float>(std::numbers::sqrt2 / 2))) +
             x * std::exp(-0.5f * x * x) * 0.3989422804014327f;  // 1 / sqrt(2 pi)
    case Act::relu:
      return x > 0 ? 1.0f : 0.0f;
    case Act::relu2:
      return x > 0 ? 2 * x : 0.0f;
    case Act::sigmoid: {
      float s = sigmoid(x);
      return s * (1.0f - s);
    }
    case Act::tanh: {
      float t = std::tanh(x);
      return 1.0f - t * t;
    }
    case Act::softplus:
      return x > 20.0f ? 1.0f : sigmoid(x);
    case Act::count:
      break;
  }
  return 1;
}

}  // namespace

void act(Act kind, const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = value(kind, x[i]);
}

void act_back(Act kind, const float* x, const float* dy, int64_t n, float* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] += dy[i] * slope(kind, x[i]);
}

void gated(Act kind, const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = value(kind, gate[i]) * up[i];
}

void gated_back(Act kind, const float* gate, const float* up, const float* dy, int64_t n, float* dgate, float* dup) {
  for (int64_t i = 0; i < n; ++i) {
    dgate[i] += dy[i] * up[i] * slope(kind, gate[i]);
    dup[i] += dy[i] * value(kind, gate[i]);
  }
}

void add(const float* a, const float* b, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

void scale(const float* x, float s, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * s;
}

void softmax(const float* x, int64_t n, float* y) {
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, x[i]);
  Lanes sum;
  for (int64_t i = 0; i < n; ++i) sum.lane[i & 7] += y[i] = std::exp(x[i] - largest);
  float inverse = 1.0f / sum.fold();
  for (int64_t i = 0; i < n; ++i) y[i] *= inverse;
}

void softmax_back(const float* y, const float* dy, int64_t n, float* dx) {
  float along = dot(y, dy, n);
  for (int64_t i = 0; i < n; ++i) dx[i] += y[i] * (dy[i] - along);
}

void rope(const float* x, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* y) {
  for (int64_t i = 0, half = rotary / 2; i < half; ++i) {
    float a = x[i], b = x[i + half];
    y[i] = a * cos[i] - b * sin[i];
    y[i + half] = b * cos[i] + a * sin[i];
  }
  for (int64_t i = rotary; i < dim; ++i) y[i] = x[i];
}

void rope_back(const float* dy, const float* cos, const float* sin, int64_t dim, int64_t rotary, float* dx) {
  for (int64_t i = 0, half = rotary / 2; i < half; ++i) {
    float a = dy[i], b = dy[i + half];
    dx[i] += a * cos[i] + b * sin[i];
    dx[i + half] += b * cos[i] - a * sin[i];
  }
  for (int64_t i = rotary; i < dim; ++i) dx[i] += dy[i];
}

}  // namespace madang::ref
