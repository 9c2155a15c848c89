// Mixtral (Jiang et al. 2024): Llama's block with a sparse mixture of experts in place of the MLP.
#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct Block {
  RmsNorm norm1, norm2;
  Attention attn;
  Moe moe;

  Block(const TransformerShape& m, const Config& config, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps),
        norm2(scope / "post_attention_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)),
        moe(scope / "block_sparse_moe", {.width = m.width,
                                         .hidden = m.hidden,
                                         .experts = static_cast<int>(config.integer("num_local_experts")),
                                         .chosen = static_cast<int>(config.integer("num_experts_per_tok")),
                                         .renormalize = true,
                                         .act = m.act,
                                         .router = "gate",
                                         .names = {"w1", "w3", "w2"}}) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, attn(c, norm1(c, x), positions.of(layer), step, layer));  // [T, D]
    return add(c, x, moe(c, norm2(c, x)));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_mixtral(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<TransformerShape, Block>>(config, scope);
}

}  // namespace madang
