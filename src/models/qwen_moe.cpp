// Qwen 2 MoE (2024) and Qwen 3 MoE (2025): Qwen's attention with sparse experts in most layers; Qwen 2 adds an expert
// that every token visits, behind a gate of its own.
#include "models/qwen_moe.h"
#include "models/models.h"

namespace madang {
namespace {

struct Qwen2MoeShape : QwenMoeShape {
  Qwen2MoeShape(const Config& config, const Scope& scope) : QwenMoeShape(config, scope) {
    qkv_bias = config.flag("qkv_bias", true), out_bias = false;
    shared_hidden = config.integer("shared_expert_intermediate_size");
  }
};

struct Qwen3MoeShape : QwenMoeShape {
  Qwen3MoeShape(const Config& config, const Scope& scope) : QwenMoeShape(config, scope) { head_norm = true; }
};

struct Block {
  RmsNorm norm1, norm2;
  Attention attn;
  QwenFeed feed;

  Block(const QwenMoeShape& m, const Config&, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps),
        norm2(scope / "post_attention_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)),
        feed(m, scope / "mlp", layer) {}

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
