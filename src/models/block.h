// The block of most transformers: attention, then an MLP, each behind a norm and beside a way around it (Radford et al.
// 2019); or both on the same input, side by side (Wang and Komatsuzaki 2021).
#pragma once
#include "models/decoder.h"

namespace madang {

struct Block {
  Norm norm1;
  std::optional<Norm> norm2, norm1_after, norm2_after;
  Attention attn;
  Mlp mlp;
  bool parallel;

  Block(const TransformerShape& m, const Config&, const Scope& scope, int layer)
      : norm1(m.norm(scope / m.block.norm1)),
        attn(scope / m.block.attention, m.attention(layer)),
        mlp(scope / m.block.mlp, m.width, m.hidden, m.act, m.mlp_bias, m.mlp_names),
        parallel(m.parallel) {
    if (!m.block.norm2.empty()) norm2 = m.norm(scope / m.block.norm2);
    if (!m.block.norm1_after.empty()) norm1_after = m.norm(scope / m.block.norm1_after);
    if (!m.block.norm2_after.empty()) norm2_after = m.norm(scope / m.block.norm2_after);
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    const Tensor in = norm1(c, x);
    const Tensor heard = attn(c, in, positions.of(layer), step, layer);  // [T, D]
    if (parallel) return add(c, x, add(c, heard, mlp(c, norm2 ? (*norm2)(c, x) : in)));
    x = add(c, x, norm1_after ? (*norm1_after)(c, heard) : heard);
    const Tensor out = mlp(c, (*norm2)(c, x));
    return add(c, x, norm2_after ? (*norm2_after)(c, out) : out);
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace madang
