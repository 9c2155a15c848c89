// Gemma 3 (Kamath et al. 2025): norms before and after each sublayer, norms on queries and keys, five windowed
// layers with their own rotary base to each that sees everything.
#include <cmath>

#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct Gemma3Shape : TransformerShape {
  float query_scale;
  Gemma3Shape(const Config& config, const Scope& scope)
      : TransformerShape(config, scope),
        query_scale(1.0f / std::sqrt(static_cast<float>(config.real("query_pre_attn_scalar", head_dim)))) {
    embedding_scale = std::sqrt(static_cast<float>(width));
  }
  Attention::Shape attention(int layer) const {
    Attention::Shape s = TransformerShape::attention(layer);
    s.scale = query_scale, s.head_norm = true;
    return s;
  }
};

struct Block {
  RmsNorm norm1, norm1_after, norm2, norm2_after;
  Attention attn;
  Mlp mlp;
  std::string kind;

  Block(const Gemma3Shape& m, const Config&, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps, m.norm_offset),
        norm1_after(scope / "post_attention_layernorm", m.width, m.eps, m.norm_offset),
        norm2(scope / "pre_feedforward_layernorm", m.width, m.eps, m.norm_offset),
        norm2_after(scope / "post_feedforward_layernorm", m.width, m.eps, m.norm_offset),
        attn(scope / "self_attn", m.attention(layer)),
        mlp(scope / "mlp", m.width, m.hidden, m.act),
        kind(m.kinds[static_cast<size_t>(layer)]) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, norm1_after(c, attn(c, norm1(c, x), &positions.of(kind), step, layer)));  // [T, D]
    return add(c, x, norm2_after(c, mlp(c, norm2(c, x))));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_gemma3(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Gemma3Shape, Block>>(config, scope);
}

}  // namespace madang
