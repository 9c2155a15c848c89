// Mamba's mixer (Gu and Dao 2023): convolve, select, scan, gate.
#include <cmath>

#include "nn/layers.h"
#include "nn/memory.h"

namespace madang {

DecayRate::DecayRate(const Scope& scope, std::string_view name, Shape shape) : log_(scope.tensor(name, shape)) {
  if (scope.changing()) return;
  rate_ = Buffer(DType::f32, shape);
  for (int64_t i = 0; i < shape.numel(); ++i) rate_.f32()[i] = -std::exp(log_.f32()[i]);
}

Mamba::Mamba(const Scope& scope, const Shape& s)
    : shape_(s),
      in_(scope / "in_proj", s.width, 2 * s.inner, s.bias),
      x_(scope / "x_proj", s.inner, s.dt_rank + 2 * s.states),
      dt_(scope / "dt_proj", s.dt_rank, s.inner, true),
      out_(scope / "out_proj", s.inner, s.width, s.bias),
      conv_(scope.tensor("conv1d.weight", {s.inner, s.conv})),
      conv_bias_(s.conv_bias ? scope.vector("conv1d.bias", s.inner) : Buffer()),
      d_(scope.vector("D", s.inner)),
      decay_(scope, "A_log", {s.inner, s.states}) {
  if (s.inner_norm != Shape::Inner::weighted) return;
  dt_norm_ = RmsNorm(scope / "dt_layernorm", s.dt_rank, s.inner_eps);
  b_norm_ = RmsNorm(scope / "b_layernorm", s.states, s.inner_eps);
  c_norm_ = RmsNorm(scope / "c_layernorm", s.states, s.inner_eps);
}

Tensor Mamba::normed(Ctx& c, Tensor x, const Norm& norm) const {
  if (shape_.inner_norm == Shape::Inner::none) return x;
  return shape_.inner_norm == Shape::Inner::bare ? rms_norm(c, x, {}, shape_.inner_eps) : norm(c, x);
}

Tensor Mamba::operator()(Ctx& c, Tensor x, const Step& step, int layer) const {
  const Memory past(step, layer, {(shape_.conv - 1) * shape_.inner, shape_.states * shape_.inner});
  const int64_t C = shape_.inner, N = shape_.states, R = shape_.dt_rank;
  Tensor both = in_(c, x);  // [T, 2 C]
  Tensor u = act(c, shape_.act, causal_conv(c, columns(c, both, 0, C), conv_, conv_bias_, past[0]));
  Tensor chosen = x_(c, u);                                                                     // [T, R + 2 N]
  Tensor delta = act(c, Act::softplus, dt_(c, normed(c, columns(c, chosen, 0, R), dt_norm_)));  // [T, C]
  Tensor B = normed(c, columns(c, chosen, R, N), b_norm_);                                      // [T, N]
  Tensor K = normed(c, columns(c, chosen, R + N, N), c_norm_);
  Tensor y = selective_scan(c, u, delta, decay_(c), B, K, d_, past[1]);  // [T, C]
  return out_(c, gated(c, Act::silu, columns(c, both, C, C), y));        // [T, D]
}

StateSpec Mamba::state() const {
  return {.kind = StateKind::recurrent, .floats = (shape_.conv - 1 + shape_.states) * shape_.inner};
}

}  // namespace madang
