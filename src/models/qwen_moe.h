// What Qwen's sparse models share: experts in most layers and, in some of them, one more that every token visits,
// behind a gate of its own.
#pragma once
#include <algorithm>
#include <optional>

#include "models/decoder.h"

namespace madang {

struct QwenMoeShape : TransformerShape {
  Moe::Shape moe;
  int64_t shared_hidden = 0;  ///< 0: no shared expert
  int64_t sparse_step;
  std::vector<int64_t> dense_layers;

  QwenMoeShape(const Config& config, const Scope& scope)
      : TransformerShape(config, scope),
        moe{.width = width,
            .hidden = config.integer("moe_intermediate_size"),
            .experts = static_cast<int>(config.integer("num_local_experts")),
            .chosen = static_cast<int>(config.integer("num_experts_per_tok")),
            .renormalize = config.flag("norm_topk_prob"),
            .act = act,
            .router = "gate",
            .names = {}},
        sparse_step(config.integer("decoder_sparse_step")),
        dense_layers(config.integers("mlp_only_layers")) {}

  bool sparse(int layer) const {
    return std::ranges::find(dense_layers, layer) == dense_layers.end() && (layer + 1) % sparse_step == 0;
  }
};

struct QwenFeed {
  std::optional<Mlp> dense, shared;
  std::optional<Moe> moe;
  Linear shared_gate;

  QwenFeed(const QwenMoeShape& m, const Scope& scope, int layer) {
    if (!m.sparse(layer)) {
      dense.emplace(scope, m.width, m.hidden, m.act);
      return;
    }
    moe.emplace(scope, m.moe);
    if (m.shared_hidden == 0) return;
    shared.emplace(scope / "shared_expert", m.width, m.shared_hidden, m.act);
    shared_gate = Linear(scope / "shared_expert_gate", m.width, 1);
  }

  Tensor operator()(Ctx& c, Tensor x) const {
    if (dense) return (*dense)(c, x);
    Tensor y = (*moe)(c, x);  // [T, D]
    return shared ? add(c, y, scale_rows(c, (*shared)(c, x), act(c, Act::sigmoid, shared_gate(c, x)))) : y;
  }
};

}  // namespace madang
