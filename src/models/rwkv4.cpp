// RWKV-4 (Peng et al. 2023): time mixing, which averages the past with weights that decay channel by channel, then
// channel mixing, each on mixtures of a token with the one before; no attention, no positions.
#include <cmath>

#include "models/models.h"
#include "models/rwkv.h"

namespace madang {
namespace {

struct Rwkv4Shape : RwkvShape {
  int64_t inner;          // channels of the average
  int64_t rescale_every;  // layers after which everything is halved, so that float16 was enough; 0: never

  Rwkv4Shape(const Config& c, const Scope&)
      : RwkvShape(c),
        inner(c.integer("attention_hidden_size", width)),
        rescale_every(std::max<int64_t>(0, c.integer("rescale_every"))) {
    names.embed = "rwkv.embeddings", names.embed_norm = "rwkv.blocks.0.pre_ln";
    names.layers = "rwkv.blocks", names.norm = "rwkv.ln_out";
  }
  Norm last_norm(const Scope& scope) const { return LayerNorm(scope, width, 1e-5f); }  // whatever the others have
};

struct TimeMix {
  DecayRate decay;
  Buffer bonus, mix_k, mix_v, mix_r;
  Linear key, value, receptance, output;

  TimeMix(const Scope& scope, int64_t width, int64_t inner)
      : decay(scope, "time_decay", {inner}),
        bonus(scope.vector("time_first", inner)),
        mix_k(scope.vector("time_mix_key", width)),
        mix_v(scope.vector("time_mix_value", width)),
        mix_r(scope.vector("time_mix_receptance", width)),
        key(scope / "key", width, inner),
        value(scope / "value", width, inner),
        receptance(scope / "receptance", width, inner),
        output(scope / "output", inner, width) {}

  Tensor operator()(Ctx& c, Tensor x, std::span<const RecurrentSegment> last,
                    std::span<const RecurrentSegment> past) const {
    const Tensor before = previous(c, x, last);                                                 // [T, D]
    const Tensor k = key(c, mix(c, x, before, mix_k)), v = value(c, mix(c, x, before, mix_v));  // [T, C]
    const Tensor r = receptance(c, mix(c, x, before, mix_r));
    return output(c, gated(c, Act::sigmoid, r, wkv(c, decay(c), bonus, k, v, past)));  // [T, D]
  }
};

struct Block {
  Norm ln1, ln2;
  TimeMix attention;
  ChannelMix feed_forward;
  int64_t width, inner;
  float share;  // of what the sublayers say, after so many halvings
  bool halves;

  Block(const Rwkv4Shape& m, const Config&, const Scope& scope, int layer)
      : ln1(m.norm(scope / "ln1")),
        ln2(m.norm(scope / "ln2")),
        attention(scope / "attention", m.width, m.inner),
        feed_forward(scope / "feed_forward",
                     {.width = m.width, .hidden = m.hidden, .mix_k = "time_mix_key", .mix_r = "time_mix_receptance"}),
        width(m.width),
        inner(m.inner),
        share(m.rescale_every ? std::exp2(-static_cast<float>(layer / m.rescale_every)) : 1),
        halves(m.rescale_every && (layer + 1) % m.rescale_every == 0) {}

  Tensor operator()(Ctx& c, Tensor x, RwkvShape::NoPositions, const Step& step, int layer) const {
    const Memory memory(step, layer, {width, width, 3 * inner});
    auto shared = [&](Tensor y) { return share == 1 ? y : scale(c, y, share); };
    x = add(c, x, shared(attention(c, ln1(c, x), memory[0], memory[2])));  // [T, D]
    x = add(c, x, shared(feed_forward(c, ln2(c, x), memory[1])));          // [T, D]
    return halves ? scale(c, x, 0.5f) : x;
  }
  StateSpec state() const { return {.kind = StateKind::recurrent, .floats = 2 * width + 3 * inner}; }
};

}  // namespace

std::unique_ptr<Model> build_rwkv4(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Rwkv4Shape, Block>>(config, scope);
}

}  // namespace madang
