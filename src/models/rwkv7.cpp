// Goose, RWKV-7 (Peng et al. 2025): each head's matrix unlearns, by a delta rule with vector-valued rates, what it held
// under a key before it learns anew; values of later layers are mixed with the first layer's.
#include <cmath>
#include <string>
#include <vector>

#include "models/models.h"
#include "models/rwkv.h"

namespace madang {
namespace {

using Past = std::span<const RecurrentSegment>;

struct GooseShape : RwkvHeadsShape {
  int64_t decay_rank, rate_rank, value_rank, gate_rank;

  /// The first layer's values, for all others to hear.
  struct FirstValues {
    Tensor v;
  };
  FirstValues positions(Ctx& c, const Step& step) const {
    return {c.tape ? Tensor() : c.make({step.tokens(), width})};  // made here, where no layer's frame ends
  }

  GooseShape(const Config& c, const Scope&)
      : RwkvHeadsShape(c),
        decay_rank(c.integer("decay_low_rank_dim")),
        rate_rank(c.integer("a_low_rank_dim")),
        value_rank(layers > 1 ? c.integer("v_low_rank_dim") : 0),
        gate_rank(c.integer("gate_low_rank_dim")) {}
  ChannelMix::Shape channel_mix() const {
    return {.width = width, .hidden = hidden, .mix_k = "x_k", .mix_r = "", .of_past = true};
  }
};

/// Section 4.1, equations 3 to 24.
struct GooseMix {
  int64_t heads, head;
  bool first;
  std::vector<Buffer> shares;  // of r, w, k, v, a, g
  Buffer removed, rated, bonus;
  LowRank decay, rate, value_mix, gate;
  Linear receptance, key, value, output;
  HeadsNorm ln_x;

  GooseMix(const GooseShape& m, const Scope& scope, int layer)
      : heads(m.heads),
        head(m.head),
        first(layer == 0),
        removed(scope.vector("k_k", m.width)),
        rated(scope.vector("k_a", m.width)),
        bonus(scope.vector("r_k", m.width)),
        decay(scope / "w1", scope / "w2", m.width, m.decay_rank),
        rate(scope / "a1", scope / "a2", m.width, m.rate_rank),
        gate(scope / "g1", scope / "g2", m.width, m.gate_rank, false),
        receptance(scope / "receptance", m.width, m.width),
        key(scope / "key", m.width, m.width),
        value(scope / "value", m.width, m.width),
        output(scope / "output", m.width, m.width),
        ln_x(scope / "ln_x", m.heads, m.head, 64e-5f) {
    for (int i = 0; i < 6; ++i) shares.push_back((scope / "x_rwkvag").vector(std::to_string(i), m.width));
    if (!first) value_mix = LowRank(scope / "v1", scope / "v2", m.width, m.value_rank);
  }

  Tensor with_first(Ctx& c, Tensor v, Tensor xv, GooseShape::FirstValues& carried) const {
    if (!first) return mix(c, carried.v, v, act(c, Act::sigmoid, value_mix.up(c, value_mix.down(c, xv))));
    if (c.tape)
      carried.v = v;
    else
      std::copy_n(v.f32(), v.numel(), carried.v.f32());
    return v;
  }

  Tensor operator()(Ctx& c, Tensor x, Past last, Past past, GooseShape::FirstValues& carried) const {
    const Shape each{x.rows() * heads, head}, all = x.shape;
    const Tensor before = previous(c, x, last);
    auto mixed = [&](size_t i) { return mix(c, before, x, shares[i]); };  // [T, D]
    const Tensor xv = mixed(3), r = receptance(c, mixed(0)), k = key(c, mixed(2));
    const Tensor v = with_first(c, value(c, xv), xv, carried);
    const Tensor w = act(c, Act::sigmoid, decay.up(c, act(c, Act::tanh, decay.down(c, mixed(1)))));
    const Tensor kept = exponential(c, scale(c, w, -std::exp(-0.5f)));  // between exp(-exp(-1/2)) and 1
    const Tensor a = act(c, Act::sigmoid, rate.up(c, rate.down(c, mixed(4))));
    const Tensor g = gate.up(c, act(c, Act::sigmoid, gate.down(c, mixed(5))));
    const auto dim = static_cast<float>(head);
    const Tensor unit = scale(c, rms_norm(c, mul(c, k, removed).reshape(each), {}, 1e-24f / dim), 1 / std::sqrt(dim));
    const Tensor gone = unit.reshape(all), learned = mix(c, mul(c, k, a), k, rated);  // k (1 + (a - 1) k_a)
    const Tensor y = matrix_memory(
        c, {.r = r, .k = learned, .v = v, .decay = kept, .a = scale(c, gone, -1), .b = mul(c, gone, a), .heads = heads},
        past);
    const Tensor now = dots(c, mul(c, r, bonus).reshape(each), learned.reshape(each));  // [T H, 1]
    const Tensor out = add(c, ln_x(c, y.reshape(each)), scale_rows(c, v.reshape(each), now));
    return output(c, mul(c, out.reshape(all), g));  // [T, D]
  }
};

}  // namespace

std::unique_ptr<Model> build_rwkv7(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GooseShape, RwkvBlock<GooseShape, GooseMix>>>(config, scope);
}

}  // namespace madang
