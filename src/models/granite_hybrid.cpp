// Granite 4 (IBM 2025): Granite's multipliers over Mamba-2 and attention in turn, most without positions; in every
// layer an MLP that all tokens visit and, in the larger ones, experts beside it.
#include "models/hybrid.h"
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct GraniteHybridShape : SparseShape {
  madang::Mamba2::Shape mixer;
  float sublayer_scale;

  GraniteHybridShape(const Config& c, const Scope& scope)
      : SparseShape(c, scope),
        mixer(mamba2_shape(c, width, eps)),
        sublayer_scale(static_cast<float>(c.real("residual_multiplier"))) {
    embedding_scale = static_cast<float>(c.real("embedding_multiplier"));
    attention_scale = static_cast<float>(c.real("attention_multiplier"));
    logit_scale = 1.0f / static_cast<float>(c.real("logits_scaling"));
    experts.router = "router.layer";
    shared_hidden = c.integer("shared_intermediate_size");
    for (const std::string& kind : kinds) rotates.push_back(kind == "full_attention");
    ropes.erase("linear_attention");
    if (c.text("position_embedding_type", "") != "rope") ropes.clear();
  }
};

struct Block {
  Norm norm1, norm2;
  Hybrid<madang::Mamba2> look;
  std::optional<Mlp> shared;
  std::optional<Moe> moe;
  float sublayer_scale;

  Block(const GraniteHybridShape& m, const Config&, const Scope& scope, int layer)
      : norm1(m.norm(scope / "input_layernorm")),
        norm2(m.norm(scope / "post_attention_layernorm")),
        sublayer_scale(m.sublayer_scale) {
    if (m.rotates[static_cast<size_t>(layer)])
      look.attn.emplace(scope / "self_attn", m.attention(layer));
    else
      look.mixer.emplace(scope / "mamba", m.mixer);
    if (m.shared_hidden > 0) shared.emplace(scope / "shared_mlp", m.width, m.shared_hidden, m.act);
    if (m.experts.experts > 0 || !shared) moe.emplace(scope / "block_sparse_moe", m.experts);
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, scale(c, look(c, norm1(c, x), positions, step, layer), sublayer_scale));  // [T, D]
    const Tensor in = norm2(c, x);
    Tensor out = moe ? (*moe)(c, in) : (*shared)(c, in);
    if (moe && shared) out = add(c, out, (*shared)(c, in));
    return add(c, x, scale(c, out, sublayer_scale));  // [T, D]
  }
  StateSpec state() const { return look.state(); }
};

}  // namespace

std::unique_ptr<Model> build_granite_hybrid(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GraniteHybridShape, Block>>(config, scope);
}

}  // namespace madang
