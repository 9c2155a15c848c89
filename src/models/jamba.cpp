// Jamba (Lieber et al. 2024): Mamba layers with attention in between, which needs no positions then, and experts in
// every so many layers.
#include "models/hybrid.h"
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct JambaShape : SparseShape {
  madang::Mamba::Shape mixer;
  int64_t attends_every, attends_at, experts_every, experts_at;

  JambaShape(const Config& c, const Scope& scope)
      : SparseShape(c, scope),
        mixer{.width = width,
              .inner = c.integer("mamba_expand") * width,
              .states = c.integer("mamba_d_state"),
              .conv = c.integer("mamba_d_conv"),
              .dt_rank = c.integer("mamba_dt_rank"),
              .conv_bias = c.flag("mamba_conv_bias"),
              .bias = c.flag("mamba_proj_bias"),
              .act = act,
              .inner_norm = madang::Mamba::Shape::Inner::weighted,
              .inner_eps = eps},
        attends_every(c.integer("attn_layer_period")),
        attends_at(c.integer("attn_layer_offset")),
        experts_every(c.integer("expert_layer_period")),
        experts_at(c.integer("expert_layer_offset")) {
    names.norm = "model.final_layernorm";
    ropes.clear();
    experts.router = "router", experts.renormalize = false;
  }
  bool attends(int layer) const { return layer % attends_every == attends_at; }
  bool sparse(int layer) const { return experts.experts > 1 && layer % experts_every == experts_at; }
};

struct Block {
  Norm norm1, norm2;
  Hybrid<madang::Mamba> look;
  std::optional<Mlp> dense;
  std::optional<Moe> moe;

  Block(const JambaShape& m, const Config&, const Scope& scope, int layer)
      : norm1(m.norm(scope / "input_layernorm")), norm2(m.norm(scope / "pre_ff_layernorm")) {
    if (m.attends(layer))
      look.attn.emplace(scope / "self_attn", m.attention(layer));
    else
      look.mixer.emplace(scope / "mamba", m.mixer);
    if (m.sparse(layer))
      moe.emplace(scope / "feed_forward", m.experts);
    else
      dense.emplace(scope / "feed_forward", m.width, m.hidden, m.act);
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, look(c, norm1(c, x), positions, step, layer));  // [T, D]
    const Tensor heard = norm2(c, x);
    return add(c, x, dense ? (*dense)(c, heard) : (*moe)(c, heard));  // [T, D]
  }
  StateSpec state() const { return look.state(); }
};

}  // namespace

std::unique_ptr<Model> build_jamba(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<JambaShape, Block>>(config, scope);
}

}  // namespace madang
