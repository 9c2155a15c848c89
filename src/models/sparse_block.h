// The block of sparse models: attention of some kind, then experts, with or without one that every token visits, or in
// some layers an MLP.
#pragma once
#include "models/decoder.h"

namespace madang {

template <class Attending>
struct SparseBlock {
  Norm norm1, norm2;
  Attending attn;
  std::optional<Mlp> dense, shared;
  std::optional<Moe> moe;

  /// `m` says the rest: m.attending(layer) the shape of attention, m.sparse(layer) if there are experts, m.experts
  /// their shape, m.shared_name where the one for all lies and m.shared_hidden its size (0: there is none).
  template <class Shape>
  SparseBlock(const Shape& m, const Config&, const Scope& scope, int layer)
      : norm1(m.norm(scope / m.block.norm1)),
        norm2(m.norm(scope / m.block.norm2)),
        attn(scope / m.block.attention, m.attending(layer)) {
    const Scope feed = scope / m.block.mlp;
    if (!m.sparse(layer)) {
      dense.emplace(feed, m.width, m.hidden, m.act, m.mlp_bias);
      return;
    }
    moe.emplace(feed, m.experts);
    if (m.shared_hidden > 0) shared.emplace(feed / m.shared_name, m.width, m.shared_hidden, m.act, m.mlp_bias);
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, attn(c, norm1(c, x), positions.of(layer), step, layer));  // [T, D]
    const Tensor in = norm2(c, x);
    Tensor out = dense ? (*dense)(c, in) : (*moe)(c, in);
    if (shared) out = add(c, out, (*shared)(c, in));
    return add(c, x, out);
  }
  StateSpec state() const { return attn.state(); }
};

/// Experts of the MLP's width, as many as the configuration says.
inline Moe::Shape experts_of(const TransformerShape& m, const Config& c) {
  Moe::Shape experts;
  experts.width = m.width, experts.hidden = m.hidden, experts.act = m.act;
  experts.experts = static_cast<int>(c.integer("num_local_experts"));
  experts.chosen = static_cast<int>(c.integer("num_experts_per_tok"));
  return experts;
}

/// What SparseBlock asks of a shape, for models with one kind of attention.
struct SparseShape : TransformerShape {
  Moe::Shape experts;
  int64_t shared_hidden = 0;
  std::string_view shared_name = "shared_expert";
  int64_t first_sparse = 0;

  SparseShape(const Config& c, const Scope& scope, std::string_view eps_key = "rms_norm_eps")
      : TransformerShape(c, scope, eps_key), experts(experts_of(*this, c)) {}
  /// DeepSeek-V3's routing, which others took over: sigmoids, a bias for the choice, groups judged by their best two.
  void choose_by_sigmoid(const Config& c) {
    experts.score = Moe::Shape::Score::sigmoid, experts.correction = true;
    experts.renormalize = c.flag("norm_topk_prob", true);
    experts.weights_scale = static_cast<float>(c.real("routed_scaling_factor", 1.0));
    experts.hidden = c.integer("moe_intermediate_size");
    experts.groups = static_cast<int>(c.integer("n_group", 1));
    experts.groups_kept = static_cast<int>(c.integer("topk_group", 1)), experts.judges = 2;
    shared_name = "shared_experts", shared_hidden = experts.hidden * c.integer("n_shared_experts", 0);
  }
  bool sparse(int layer) const { return layer >= first_sparse; }
  Attention::Shape attending(int layer) const { return attention(layer); }
};

}  // namespace madang
