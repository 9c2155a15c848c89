// LFM2 (Liquid AI 2025): short gated convolutions in most layers, attention with normed heads in the others.
#include <algorithm>

#include "models/decoder.h"
#include "models/models.h"
#include "nn/memory.h"

namespace madang {
namespace {

struct Lfm2Shape : TransformerShape {
  int64_t kernel;
  bool conv_bias;

  Lfm2Shape(const Config& c, const Scope& scope)
      : TransformerShape(c, scope, "norm_eps"), kernel(c.integer("conv_L_cache")), conv_bias(c.flag("conv_bias")) {
    head_norm = true, qkv_bias = out_bias = false;
    attention_names.o = "out_proj", attention_names.q_norm = "q_layernorm", attention_names.k_norm = "k_layernorm";
    mlp_names = {"w1", "w3", "w2"};
    names.norm = "model.embedding_norm";
    for (const std::string& kind : kinds) rotates.push_back(kind != "conv");
    ropes.erase("conv");
  }
  bool convolves(int layer) const { return kinds[static_cast<size_t>(layer)] == "conv"; }
};

/// out(C * conv(B * x)), B, C and x being projections of the input.
struct ShortConv {
  int64_t width, kernel;
  Linear in, out;
  Buffer weight, bias;

  ShortConv(const Lfm2Shape& m, const Scope& scope)
      : width(m.width),
        kernel(m.kernel),
        in(scope / "in_proj", m.width, 3 * m.width, m.conv_bias),
        out(scope / "out_proj", m.width, m.width, m.conv_bias),
        weight(scope.tensor("conv.weight", {m.width, m.kernel})),
        bias(m.conv_bias ? scope.vector("conv.bias", m.width) : Buffer()) {}

  Tensor operator()(Ctx& c, Tensor x, const Step& step, int layer) const {
    const Memory memory(step, layer, {(kernel - 1) * width});
    const Tensor said = in(c, x);  // [T, 3 D]
    const Tensor let_in = mul(c, columns(c, said, 0, width), columns(c, said, 2 * width, width));
    return out(c, mul(c, columns(c, said, width, width), causal_conv(c, let_in, weight, bias, memory[0])));  // [T, D]
  }
  StateSpec state() const { return {.kind = StateKind::recurrent, .floats = (kernel - 1) * width}; }
};

struct Block {
  RmsNorm operator_norm, ffn_norm;
  std::optional<Attention> attn;
  std::optional<ShortConv> conv;
  Mlp feed_forward;

  Block(const Lfm2Shape& m, const Config&, const Scope& scope, int layer)
      : operator_norm(scope / "operator_norm", m.width, m.eps),
        ffn_norm(scope / "ffn_norm", m.width, m.eps),
        feed_forward(scope / "feed_forward", m.width, m.hidden, m.act, false, m.mlp_names) {
    if (m.convolves(layer))
      conv.emplace(m, scope / "conv");
    else
      attn.emplace(scope / "self_attn", m.attention(layer));
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    const Tensor in = operator_norm(c, x);
    x = add(c, x, conv ? (*conv)(c, in, step, layer) : (*attn)(c, in, positions.of(layer), step, layer));  // [T, D]
    return add(c, x, feed_forward(c, ffn_norm(c, x)));                                                     // [T, D]
  }
  StateSpec state() const { return conv ? conv->state() : attn->state(); }
};

}  // namespace

std::unique_ptr<Model> build_lfm2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Lfm2Shape, Block>>(config, scope);
}

}  // namespace madang
