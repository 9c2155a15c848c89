// Gemma 1 (Mesnard et al. 2024): Llama's block with norms of 1 + w and scaled embeddings. Gemma 2 (Riviere et al. 2024)
// adds norms after each sublayer, soft caps and windows in every second layer; Gemma 3 (Kamath et al. 2025) has norms
// on queries and keys instead of caps, and five windowed layers with their own rotary base to each that sees
// everything.
#include <cmath>

#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct GemmaShape : TransformerShape {
  GemmaShape(const Config& config, const Scope& scope) : TransformerShape(config, scope) {
    embedding_scale = std::sqrt(static_cast<float>(width));
    if (act == Act::gelu_erf) act = Act::gelu_tanh;  // the first configurations say gelu and mean this
  }
};

struct Gemma2Shape : GemmaShape {
  Gemma2Shape(const Config& config, const Scope& scope) : GemmaShape(config, scope) {
    act = act_of(config, "hidden_activation");
    attention_scale = 1.0f / std::sqrt(static_cast<float>(config.real("query_pre_attn_scalar", head_dim)));
    attention_softcap = static_cast<float>(config.real("attn_logit_softcapping", 0.0));
    logit_softcap = static_cast<float>(config.real("final_logit_softcapping", 0.0));
  }
};

struct Gemma3Shape : Gemma2Shape {
  Gemma3Shape(const Config& config, const Scope& scope) : Gemma2Shape(config, scope) {
    head_norm = true;
    attention_softcap = 0;  // the key is there, and nothing reads it
  }
};

struct Block1 {
  RmsNorm norm1, norm2;
  Attention attn;
  Mlp mlp;

  Block1(const GemmaShape& m, const Config&, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps, m.norm_offset),
        norm2(scope / "post_attention_layernorm", m.width, m.eps, m.norm_offset),
        attn(scope / "self_attn", m.attention(layer)),
        mlp(scope / "mlp", m.width, m.hidden, m.act) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, attn(c, norm1(c, x), positions.of(layer), step, layer));  // [T, D]
    return add(c, x, mlp(c, norm2(c, x)));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

struct Block2 {
  RmsNorm norm1, norm1_after, norm2, norm2_after;
  Attention attn;
  Mlp mlp;

  Block2(const Gemma2Shape& m, const Config&, const Scope& scope, int layer)
      : norm1(scope / "input_layernorm", m.width, m.eps, m.norm_offset),
        norm1_after(scope / "post_attention_layernorm", m.width, m.eps, m.norm_offset),
        norm2(scope / "pre_feedforward_layernorm", m.width, m.eps, m.norm_offset),
        norm2_after(scope / "post_feedforward_layernorm", m.width, m.eps, m.norm_offset),
        attn(scope / "self_attn", m.attention(layer)),
        mlp(scope / "mlp", m.width, m.hidden, m.act) {}

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    x = add(c, x, norm1_after(c, attn(c, norm1(c, x), positions.of(layer), step, layer)));  // [T, D]
    return add(c, x, norm2_after(c, mlp(c, norm2(c, x))));                                  // [T, D]
  }
  StateSpec state() const { return attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_gemma(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GemmaShape, Block1>>(config, scope);
}
std::unique_ptr<Model> build_gemma2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Gemma2Shape, Block2>>(config, scope);
}
std::unique_ptr<Model> build_gemma3(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Gemma3Shape, Block2>>(config, scope);
}

}  // namespace madang
