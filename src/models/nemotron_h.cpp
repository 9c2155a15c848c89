// Nemotron-H and Nemotron 3 (NVIDIA 2025): every layer is one norm and one thing: Mamba-2, attention without positions,
// an MLP of squared ReLUs, or experts of the same kind, chosen as in DeepSeek-V3 and perhaps working in a smaller
// space.
#include "models/hybrid.h"
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct NemotronShape : SparseShape {
  madang::Mamba2::Shape mixer;

  NemotronShape(const Config& c, const Scope& scope)
      : SparseShape(c, scope, "layer_norm_epsilon"), mixer(mamba2_shape(c, width, eps)) {
    names = {"backbone.embeddings", "backbone.layers", "backbone.norm_f"};
    ropes.clear();
    qkv_bias = out_bias = false;
    choose_by_sigmoid(c);
    mlp_names.gate = experts.names.gate = "";
    experts.latent = c.integer("moe_latent_size", 0), experts.latent_bias = mlp_bias;
    shared_hidden = c.integer("moe_shared_expert_intermediate_size");
  }
};

struct Block {
  Norm norm;
  Hybrid<madang::Mamba2> look;
  std::optional<Moe> moe;
  std::optional<Mlp> mlp;  ///< beside experts: the one for all

  Block(const NemotronShape& m, const Config&, const Scope& scope, int layer) : norm(m.norm(scope / "norm")) {
    const Scope mixer = scope / "mixer";
    const std::string& kind = m.kinds[static_cast<size_t>(layer)];
    if (kind == "linear_attention") {
      look.mixer.emplace(mixer, m.mixer);
    } else if (kind == "full_attention") {
      look.attn.emplace(mixer, m.attention(layer));
    } else if (kind == "mlp") {
      mlp.emplace(mixer, m.width, m.hidden, m.act, m.mlp_bias, m.mlp_names);
    } else {
      moe.emplace(mixer, m.experts);
      mlp.emplace(mixer / m.shared_name, m.width, m.shared_hidden, m.act, m.mlp_bias, m.mlp_names);
    }
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    const Tensor in = norm(c, x);  // [T, D]
    if (!mlp) return add(c, x, look(c, in, positions, step, layer));
    const Tensor out = (*mlp)(c, in);
    return add(c, x, moe ? add(c, (*moe)(c, in), out) : out);
  }
  StateSpec state() const { return mlp ? StateSpec{} : look.state(); }
};

}  // namespace

std::unique_ptr<Model> build_nemotron_h(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<NemotronShape, Block>>(config, scope);
}

}  // namespace madang
