// Qwen 2 MoE (2024) and Qwen 3 MoE (2025): Qwen's attention with sparse experts in most layers; Qwen 2 adds an expert
// that every token visits, behind a gate of its own.
#include <algorithm>
#include <optional>

#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct QwenMoeShape : TransformerShape {
  Moe::Shape moe;
  int64_t shared_hidden = 0;  // 0: no shared expert
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

struct Qwen2MoeShape : QwenMoeShape {
  Qwen2MoeShape(const Config& config, const Scope& scope) : QwenMoeShape(config, scope) {
    qkv_bias = true, out_bias = false;
    shared_hidden = config.integer("shared_expert_intermediate_size");
  }
};

struct Qwen3MoeShape : QwenMoeShape {
  Qwen3MoeShape(const Config& config, const Scope& scope) : QwenMoeShape(config, scope) { head_norm = true; }
};

struct Block {
  RmsNorm norm1, norm2;
  Attention attn;
  std::optional<Mlp> dense, shared;
  std::optional<Moe> moe;
  Linear shared_gate;

  Block(const QwenMoeShape& m, const Config&, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps),
        norm2(scope / "post_attention_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)) {
    if (!m.sparse(layer)) {
      dense.emplace(scope / "mlp", m.width, m.hidden, m.act);
      return;
    }
    moe.emplace(scope / "mlp", m.moe);
    if (m.shared_hidden == 0) return;
    shared.emplace(scope / "mlp" / "shared_expert", m.width, m.shared_hidden, m.act);
    shared_gate = Linear(scope / "mlp" / "shared_expert_gate", m.width, 1);
  }

  Tensor feed(Ctx& c, Tensor x) const {
    if (dense) return (*dense)(c, x);
    Tensor y = (*moe)(c, x);  // [T, D]
    return shared ? add(c, y, scale_rows(c, (*shared)(c, x), act(c, Act::sigmoid, shared_gate(c, x)))) : y;
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, attn(c, norm1(c, x), positions.of(layer), step, layer));  // [T, D]
    return add(c, x, feed(c, norm2(c, x)));                                 // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_qwen2_moe(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Qwen2MoeShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_qwen3_moe(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Qwen3MoeShape, Block>>(config, scope);
}

}  // namespace madang
