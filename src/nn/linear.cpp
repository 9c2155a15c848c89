// Linear, Embed, Mlp: matrices by name and shape.
#include "base/error.h"
#include "nn/layers.h"

namespace madang {

Linear::Linear(const Scope& scope, int64_t in, int64_t out, bool bias)
    : weight_(scope.weight("weight", out, in)), bias_(bias ? scope.vector("bias", out) : Buffer()) {}

Linear Embed::as_head() const {
  Linear head;
  head.weight_ = weight_;
  return head;
}

Mlp::Mlp(const Scope& scope, int64_t width, int64_t hidden, Act act, bool bias, const Names& names)
    : act_(act),
      gate_(scope / names.gate, width, hidden, bias),
      up_(scope / names.up, width, hidden, bias),
      down_(scope / names.down, hidden, width, bias) {}

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
