// Linear, Embed, Mlp: matrices by name and shape.
#include <cstring>

#include "base/error.h"
#include "nn/layers.h"

namespace madang {

Linear::Linear(const Scope& scope, int64_t in, int64_t out, bool bias)
    : weight_(scope.weight("weight", out, in)), bias_(bias ? scope.vector("bias", out) : Buffer()) {
  if (weight_.packing) weight_.packing->want();
  adapt(scope);
}

// The lengths of rows that DoRA divides by change in training only.
void Linear::adapt(const Scope& scope) {
  low_rank_ = scope.low_rank(weight_.rows, weight_.cols);
  if (!low_rank_ || !low_rank_->magnitude.view()) return;
  norms_ = Buffer(DType::f32, {weight_.rows});
  const AdapterPart& l = *low_rank_;
  madang::row_norms(weight_, l.a, l.b, l.fresh ? 0 : l.scale, 0, weight_.rows, norms_.f32());
  if (l.fresh) std::memcpy(l.magnitude.f32(), norms_.f32(), static_cast<size_t>(norms_.view().bytes()));
}

// y = W x becomes W x + s B (A x), or, where the layer has the transpose of what is added to, W^T x + s A^T (B^T x).
// With a magnitude m each output is multiplied by m / ||W + s B A||, a norm that is a constant for the gradient (Liu et
// al. 2024, section 4.3).
Tensor Linear::adapted(Ctx& c, Tensor x, Tensor y) const {
  const AdapterPart& l = *low_rank_;
  Tensor more = l.turned ? linear_turned(c, l.a, linear_turned(c, l.b, x)) : linear(c, l.b, {}, linear(c, l.a, {}, x));
  y = add(c, y, scale(c, more, l.scale));
  if (!l.magnitude.view()) return y;
  return scale_columns(c, y, l.magnitude, l.trained ? row_norms(c, weight_, l.a, l.b, l.scale) : norms_, bias_);
}

Linear Embed::as_head(const Scope& scope, Buffer bias) const {
  Linear head;
  head.bias_ = std::move(bias);
  head.weight_ = weight_;
  if (head.weight_.packing) head.weight_.packing->want();
  head.adapt(scope);
  return head;
}

Mlp::Mlp(const Scope& scope, int64_t width, int64_t hidden, Act act, bool bias, const Names& names)
    : act_(act), hidden_(hidden), alternate_(names.alternate), down_(scope / names.down, hidden, width, bias) {
  form_ = !names.both.empty() ? gated_together : names.gate.empty() ? plain : gated_apart;
  up_ = form_ == gated_together ? Linear(scope / names.both, width, 2 * hidden, bias)
                                : Linear(scope / names.up, width, hidden, bias);
  if (form_ == gated_apart) gate_ = Linear(scope / names.gate, width, hidden, bias);
}

std::array<Tensor, 2> Mlp::halves(Ctx& c, Tensor both) const {  // [T, 2 hidden]
  if (alternate_) both = unpaired(c, both, 2 * hidden_);
  return {columns(c, both, 0, hidden_), columns(c, both, hidden_, hidden_)};
}

Tensor Mlp::operator()(Ctx& c, Tensor x) const {
  if (form_ == plain) return down_(c, madang::act(c, act_, up_(c, x)));
  const auto [gate, up] = form_ == gated_apart ? together(c, x, gate_, up_) : halves(c, up_(c, x));  // [T, hidden]
  return down_(c, limit_ > 0 ? clamped_swiglu(c, gate, up, alpha_, limit_) : gated(c, act_, gate, up));
}

Act act_of(const Config& config, std::string_view key) {
  static constexpr struct {
    std::string_view name;
    Act act;
  } known[] = {{"silu", Act::silu},          {"swish", Act::silu},          {"gelu_pytorch_tanh", Act::gelu_tanh},
               {"gelu_new", Act::gelu_tanh}, {"gelu_fast", Act::gelu_tanh}, {"gelu", Act::gelu_erf},
               {"relu", Act::relu},          {"relu2", Act::relu2}};
  const std::string name = config.text(key);
  std::string all;
  for (const auto& k : known) {
    if (k.name == name) return k.act;
    all += (all.empty() ? "" : ", ") + std::string(k.name);
  }
  throw Error(Kind::unsupported, say("unknown activation function")).at(std::string(key)).expected(all).found(name);
}

}  // namespace madang
