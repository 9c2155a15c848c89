// What the RWKV models share: a trunk whose embeddings are normed, no positions, a state of fixed size.
#pragma once
#include "base/error.h"
#include "models/decoder.h"
#include "nn/rwkv.h"

namespace madang {

struct RwkvShape : TrunkShape {
  int64_t hidden;

  struct NoPositions {};
  NoPositions positions(Ctx&, const Step&) const { return {}; }

  explicit RwkvShape(const Config& c)
      : TrunkShape(c, "layer_norm_epsilon"), hidden(c.integer("intermediate_size", 4 * width)) {
    norm_kind = NormKind::layer, names.head = "head";
  }
};

/// RWKV-5, 6 and 7: heads with a matrix each, names of the first implementation.
struct RwkvHeadsShape : RwkvShape {
  int64_t head, heads;
  int64_t halves_every;  ///< files whose weights were divided for float16 go with halvings; 0: none

  explicit RwkvHeadsShape(const Config& c)
      : RwkvShape(c), head(c.integer("head_size")), heads(width / head), halves_every(c.integer("rescale_every", 0)) {
    if (width % head != 0)
      throw Error(Kind::format, say("the configuration's {} cannot be", "head_size"))
          .at(c.where())
          .expected(fmt::format("a divisor of {}", width))
          .found(std::to_string(head));
    names.embed = "emb", names.embed_norm = "blocks.0.ln0", names.layers = "blocks", names.norm = "ln_out";
  }
  bool halves(int layer) const { return halves_every > 0 && (layer + 1) % halves_every == 0; }
};

/// Time mixing, then channel mixing. TimeMix is built as TimeMix(shape, scope, layer) and called as
/// time_mix(c, x, last, past, carried): `last` keeps the token before, `past` the matrices.
template <class Shape, class TimeMix>
struct RwkvBlock {
  Norm ln1, ln2;
  TimeMix time_mix;
  ChannelMix channel_mix;
  int64_t width, matrices;
  bool halves;

  RwkvBlock(const Shape& m, const Config&, const Scope& scope, int layer)
      : ln1(m.norm(scope / "ln1")),
        ln2(m.norm(scope / "ln2")),
        time_mix(m, scope / "att", layer),
        channel_mix(scope / "ffn", m.channel_mix()),
        width(m.width),
        matrices(m.width * m.head),
        halves(m.halves(layer)) {}

  template <class Carried>
  Tensor operator()(Ctx& c, Tensor x, Carried& carried, const Step& step, int layer) const {
    const Memory memory(step, layer, {width, width, matrices});
    x = add(c, x, time_mix(c, ln1(c, x), memory[0], memory[2], carried));  // [T, D]
    x = add(c, x, channel_mix(c, ln2(c, x), memory[1]));                   // [T, D]
    return halves ? scale(c, x, 0.5f) : x;
  }
  StateSpec state() const { return {.kind = StateKind::recurrent, .floats = 2 * width + matrices}; }
};

}  // namespace madang
