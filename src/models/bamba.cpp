// Bamba (IBM, Princeton, CMU and UIUC 2024): Llama's block with Mamba-2 in place of attention in most layers; attention
// turns half of each head.
#include "models/hybrid.h"
#include "models/models.h"

namespace madang {
namespace {

struct BambaShape : TransformerShape {
  madang::Mamba2::Shape mixer;

  BambaShape(const Config& c, const Scope& scope) : TransformerShape(c, scope), mixer(mamba2_shape(c, width, eps)) {
    names.norm = "model.final_layernorm";
    for (const std::string& kind : kinds) rotates.push_back(kind == "full_attention");
    ropes.erase("linear_attention");
  }
};

struct Block {
  Norm norm1, norm2;
  Hybrid<madang::Mamba2> look;
  Mlp mlp;

  Block(const BambaShape& m, const Config&, const Scope& scope, int layer)
      : norm1(m.norm(scope / "input_layernorm")),
        norm2(m.norm(scope / "pre_ff_layernorm")),
        mlp(scope / "feed_forward", m.width, m.hidden, m.act, m.mlp_bias) {
    if (m.rotates[static_cast<size_t>(layer)])
      look.attn.emplace(scope / "self_attn", m.attention(layer));
    else
      look.mixer.emplace(scope / "mamba", m.mixer);
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, look(c, norm1(c, x), positions, step, layer));  // [T, D]
    return add(c, x, mlp(c, norm2(c, x)));                        // [T, D]
  }
  StateSpec state() const { return look.state(); }
};

}  // namespace

std::unique_ptr<Model> build_bamba(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<BambaShape, Block>>(config, scope);
}

}  // namespace madang
