// Mamba-2's mixer (Dao and Gu 2024): project, convolve, scan, gate, norm. Refuses heads that do not divide into groups.
#include "base/error.h"
#include "nn/layers.h"
#include "nn/memory.h"

namespace madang {

Mamba2::Mamba2(const Scope& scope, const Shape& s) : shape_(s) {
  if (s.groups < 1 || s.heads % s.groups != 0)
    throw Error(Kind::format, say("{} heads do not make {} groups", s.heads, s.groups)).at(scope.path());
  in_ = Linear(scope / "in_proj", s.width, s.inner() + s.mixed() + s.heads, s.bias);
  out_ = Linear(scope / "out_proj", s.inner(), s.width, s.bias);
  conv_ = scope.tensor("conv1d.weight", {s.mixed(), s.conv});
  if (s.conv_bias) conv_bias_ = scope.vector("conv1d.bias", s.mixed());
  dt_bias_ = scope.vector("dt_bias", s.heads);
  decay_ = DecayRate(scope, "A_log", {s.heads});
  d_ = scope.vector("D", s.heads);
  norm_ = RmsNorm(scope / "norm", s.inner(), s.eps);
}

Tensor Mamba2::operator()(Ctx& c, Tensor x, const Step& step, int layer) const {
  const Memory past(step, layer, {(shape_.conv - 1) * shape_.mixed(), shape_.states * shape_.inner()});
  const int64_t T = x.rows(), C = shape_.inner(), N = shape_.groups * shape_.states;
  Tensor all = in_(c, x);  // [T, gate C, x C, B N, C N, dt H]
  Tensor mixed = causal_conv(c, columns(c, all, C, shape_.mixed()), conv_, conv_bias_, past[0]);
  mixed = act(c, shape_.act, mixed);
  Tensor delta = step_sizes(c, columns(c, all, C + shape_.mixed(), shape_.heads), dt_bias_, shape_.least, shape_.most);
  Tensor y = ssd(c, columns(c, mixed, 0, C), delta, decay_(c), columns(c, mixed, C, N),
                 columns(c, mixed, C + N, N), d_, shape_.groups, past[1]);  // [T, C]
  y = gated(c, Act::silu, columns(c, all, 0, C), y);
  y = norm_(c, y.reshape({T * shape_.groups, C / shape_.groups})).reshape({T, C});
  return out_(c, y);  // [T, D]
}

StateSpec Mamba2::state() const {
  return {.kind = StateKind::recurrent, .floats = (shape_.conv - 1) * shape_.mixed() + shape_.inner() * shape_.states};
}

}  // namespace madang
