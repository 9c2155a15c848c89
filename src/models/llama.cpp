// Llama (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm blocks of rotary attention and SwiGLU. Mistral
// (Jiang et al. 2023) is the same with a window, Qwen 2 (Yang et al. 2024) the same with biases on q, k and v.
// The trunk around the blocks (embed, blocks, norm, head) is Decoder in decoder.h.
#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct Block {
  RmsNorm norm1, norm2;
  Attention attn;
  Mlp mlp;
  std::string kind;

  Block(const TransformerShape& m, const Config& config, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps),
        norm2(scope / "post_attention_layernorm", m.width, m.eps),
        attn(scope / "self_attn", m.attention(layer)),
        mlp(scope / "mlp", m.width, m.hidden, m.act, config.flag("mlp_bias", false)),
        kind(m.kinds[static_cast<size_t>(layer)]) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, attn(c, norm1(c, x), &positions.of(kind), step, layer));  // [T, D]
    return add(c, x, mlp(c, norm2(c, x)));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

struct Qwen2Shape : TransformerShape {
  Qwen2Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) { qkv_bias = true, out_bias = false; }
};

}  // namespace

std::unique_ptr<Model> build_llama(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<TransformerShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_qwen2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Qwen2Shape, Block>>(config, scope);
}

}  // namespace madang
