// Granite 3 (IBM 2024): Llama's block with fixed multipliers on embeddings, scores, sublayers and logits.
#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct GraniteShape : TransformerShape {
  float sublayer_scale;
  GraniteShape(const Config& config, const Scope& scope)
      : TransformerShape(config, scope), sublayer_scale(static_cast<float>(config.real("residual_multiplier", 1.0))) {
    embedding_scale = static_cast<float>(config.real("embedding_multiplier", 1.0));
    attention_scale = static_cast<float>(config.real("attention_multiplier", 1.0));
    logit_scale = 1.0f / static_cast<float>(config.real("logits_scaling", 1.0));
  }
};

struct Block {
  RmsNorm norm1, norm2;
  Attention attn;
  Mlp mlp;
  float sublayer_scale;

  Block(const GraniteShape& m, const Config& config, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps),
        norm2(scope / "post_attention_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)),
        mlp(scope / "mlp", m.width, m.hidden, m.act, config.flag("mlp_bias", false)),
        sublayer_scale(m.sublayer_scale) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, scale(c, attn(c, norm1(c, x), positions.of(layer), step, layer), sublayer_scale));  // [T, D]
    return add(c, x, scale(c, mlp(c, norm2(c, x)), sublayer_scale));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_granite(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GraniteShape, Block>>(config, scope);
}

}  // namespace madang
