// Granite 3 (IBM 2024): Llama's block with fixed multipliers on embeddings, scores, sublayers and logits, and in some
// sizes experts in the MLP's place. HyperCLOVA X SEED (NAVER 2025): the same, logits multiplied where Granite divides,
// and perhaps a norm after each sublayer.
#include <optional>

#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct GraniteShape : TransformerShape {
  float sublayer_scale;
  bool norms_after = false;
  std::optional<Moe::Shape> experts;
  GraniteShape(const Config& config, const Scope& scope)
      : TransformerShape(config, scope), sublayer_scale(static_cast<float>(config.real("residual_multiplier", 1.0))) {
    embedding_scale = static_cast<float>(config.real("embedding_multiplier", 1.0));
    attention_scale = static_cast<float>(config.real("attention_multiplier", 1.0));
    logit_scale = 1.0f / static_cast<float>(config.real("logits_scaling", 1.0));
  }
};

struct GraniteMoeShape : GraniteShape {
  GraniteMoeShape(const Config& config, const Scope& scope) : GraniteShape(config, scope) {
    experts = experts_of(*this, config), experts->router = "router.layer";
  }
};

struct HyperClovaShape : GraniteShape {
  HyperClovaShape(const Config& config, const Scope& scope) : GraniteShape(config, scope) {
    logit_scale = static_cast<float>(config.real("logits_scaling", 1.0));
    norms_after = config.flag("use_post_norm", false);
  }
};

struct Block {
  RmsNorm norm1, norm2;
  std::optional<RmsNorm> norm1_after, norm2_after;
  Attention attn;
  std::optional<Mlp> mlp;
  std::optional<Moe> moe;
  float sublayer_scale;

  Block(const GraniteShape& m, const Config& config, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps),
        norm2(scope / "post_attention_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)),
        sublayer_scale(m.sublayer_scale) {
    if (m.experts)
      moe.emplace(scope / "block_sparse_moe", *m.experts);
    else
      mlp.emplace(scope / "mlp", m.width, m.hidden, m.act, config.flag("mlp_bias", false));
    if (!m.norms_after) return;
    norm1_after.emplace(scope / "post_norm1", m.width, m.eps);
    norm2_after.emplace(scope / "post_norm2", m.width, m.eps);
  }

  Tensor weighed(Ctx& c, const std::optional<RmsNorm>& norm, Tensor y) const {
    return scale(c, norm ? (*norm)(c, y) : y, sublayer_scale);
  }
  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, weighed(c, norm1_after, attn(c, norm1(c, x), positions.of(layer), step, layer)));  // [T, D]
    const Tensor in = norm2(c, x);
    return add(c, x, weighed(c, norm2_after, moe ? (*moe)(c, in) : (*mlp)(c, in)));  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_granite(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GraniteShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_granite_moe(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GraniteMoeShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_hyperclovax(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<HyperClovaShape, Block>>(config, scope);
}

}  // namespace madang
