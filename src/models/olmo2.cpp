// OLMo 2 (OLMo team 2024): norms after the sublayers instead of before, and over the whole of q and k. EXAONE 4 (LG AI
// Research 2025): the same with norms per head; where it has windowed layers, the others have no positions.
#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct Olmo2Shape : TransformerShape {
  Olmo2Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) { wide_norm = true; }
};

struct Exaone4Shape : TransformerShape {
  Exaone4Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) {
    head_norm = true;
    for (const std::string& kind : kinds) rotates.push_back(window == 0 || kind == "sliding_attention");
  }
};

struct Block {
  RmsNorm norm1_after, norm2_after;
  Attention attn;
  Mlp mlp;

  Block(const TransformerShape& m, const Config&, const Scope& scope, int layer)
      : norm1_after(scope / "post_attention_layernorm", m.width, m.eps),
        norm2_after(scope / "post_feedforward_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)),
        mlp(scope / "mlp", m.width, m.hidden, m.act) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, norm1_after(c, attn(c, x, positions.of(layer), step, layer)));  // [T, D]
    return add(c, x, norm2_after(c, mlp(c, x)));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_olmo2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Olmo2Shape, Block>>(config, scope);
}
std::unique_ptr<Model> build_exaone4(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Exaone4Shape, Block>>(config, scope);
}

}  // namespace madang
