// Eagle and Finch, RWKV-5.2 and 6 (Peng et al. 2024): a matrix for each head instead of a number for each channel. In 5
// it decays at learned rates; in 6 the rates, and how far a token is mixed with the one before, depend on the token.
#include <vector>

#include "models/models.h"
#include "models/rwkv.h"

namespace madang {
namespace {

using Past = std::span<const RecurrentSegment>;

struct EagleShape : RwkvHeadsShape {
  EagleShape(const Config& c, const Scope&) : RwkvHeadsShape(c) {}
  ChannelMix::Shape channel_mix() const { return {.width = width, .hidden = hidden}; }
  float ln_x_eps() const { return 1e-5f; }
};

struct FinchShape : RwkvHeadsShape {
  int64_t mix_rank, decay_rank;

  FinchShape(const Config& c, const Scope&)
      : RwkvHeadsShape(c), mix_rank(c.integer("time_mix_extra_dim")), decay_rank(c.integer("time_decay_extra_dim")) {}
  ChannelMix::Shape channel_mix() const {
    return {.width = width, .hidden = hidden, .mix_k = "time_maa_k", .mix_r = "time_maa_r", .of_past = true};
  }
  float ln_x_eps() const { return 64e-5f; }
};

/// Section 4.2: y = (S + u k v^T) r, S = diag(w) S + k v^T, normed head by head and gated.
struct Heads {
  int64_t heads, head;
  Buffer bonus;  // u
  Linear receptance, key, value, gate, output;
  HeadsNorm ln_x;

  template <class Shape>
  Heads(const Shape& m, const Scope& scope)
      : heads(m.heads),
        head(m.head),
        bonus(scope.vector("time_faaaa", m.width)),
        receptance(scope / "receptance", m.width, m.width),
        key(scope / "key", m.width, m.width),
        value(scope / "value", m.width, m.width),
        gate(scope / "gate", m.width, m.width),
        output(scope / "output", m.width, m.width),
        ln_x(scope / "ln_x", m.heads, m.head, m.ln_x_eps()) {}

  Tensor operator()(Ctx& c, Tensor xr, Tensor xk, Tensor xv, Tensor xg, Tensor decay, Past past) const {
    const Shape each{xr.rows() * heads, head};
    const Tensor r = receptance(c, xr), k = key(c, xk), v = value(c, xv), g = gate(c, xg);  // [T, D]
    Tensor y = matrix_memory(c, {.r = r, .k = k, .v = v, .decay = decay, .heads = heads, .fresh = false}, past);
    const Tensor now = dots(c, mul(c, r, bonus).reshape(each), k.reshape(each));  // [T H, 1]
    y = add(c, y.reshape(each), scale_rows(c, v.reshape(each), now));             // [T H, S]
    return output(c, gated(c, Act::silu, g, ln_x(c, y).reshape(g.shape)));        // [T, D]
  }
};

struct EagleMix {
  Buffer decay, mix_r, mix_k, mix_v, mix_g;
  Heads attend;

  EagleMix(const EagleShape& m, const Scope& scope, int)
      : decay(scope.vector("time_decay", m.width)),  // of a step, between 0 and 1
        mix_r(scope.vector("time_mix_r", m.width)),
        mix_k(scope.vector("time_mix_k", m.width)),
        mix_v(scope.vector("time_mix_v", m.width)),
        mix_g(scope.vector("time_mix_g", m.width)),
        attend(m, scope) {}

  Tensor operator()(Ctx& c, Tensor x, Past last, Past past, RwkvShape::NoPositions) const {
    const Tensor before = previous(c, x, last);
    return attend(c, mix(c, x, before, mix_r), mix(c, x, before, mix_k), mix(c, x, before, mix_v),
                  mix(c, x, before, mix_g), decay, past);
  }
};

struct FinchMix {
  Buffer mix_all;
  Linear down;
  std::vector<Linear> up;  // of w, k, v, r, g
  LowRank decay;
  int64_t rank;
  Heads attend;

  FinchMix(const FinchShape& m, const Scope& scope, int)
      : mix_all(scope.vector("time_maa_x", m.width)),
        down(scope / "time_maa_w1", m.width, 5 * m.mix_rank),
        decay(scope / "time_decay_w1", scope / "time_decay_w2", m.width, m.decay_rank),
        rank(m.mix_rank),
        attend(m, scope) {
    for (int i = 0; i < 5; ++i) up.emplace_back(scope / "time_maa_w2" / i, rank, m.width, true);
  }

  Tensor operator()(Ctx& c, Tensor x, Past last, Past past, RwkvShape::NoPositions) const {
    const Tensor before = previous(c, x, last);
    const Tensor shared = act(c, Act::tanh, down(c, mix(c, before, x, mix_all)));  // [T, 5 R]
    auto mixed = [&](int64_t i) {
      return mix(c, before, x, up[static_cast<size_t>(i)](c, columns(c, shared, i * rank, rank)));  // [T, D]
    };
    const Tensor rates = decay.up(c, act(c, Act::tanh, decay.down(c, mixed(0))));
    const Tensor kept = exponential(c, scale(c, exponential(c, rates), -1));  // [T, D], between 0 and 1
    return attend(c, mixed(3), mixed(1), mixed(2), mixed(4), kept, past);
  }
};

}  // namespace

std::unique_ptr<Model> build_rwkv5(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<EagleShape, RwkvBlock<EagleShape, EagleMix>>>(config, scope);
}
std::unique_ptr<Model> build_rwkv6(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<FinchShape, RwkvBlock<FinchShape, FinchMix>>>(config, scope);
}

}  // namespace madang
