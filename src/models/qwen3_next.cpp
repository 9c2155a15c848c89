// Qwen3-Next (Qwen team 2025): three layers in four remember by the gated delta rule (Yang et al. 2024), the fourth
// attends, with a gate on what is heard; experts everywhere, one of them for every token.
#include <cmath>

#include "base/error.h"
#include "models/models.h"
#include "models/qwen_moe.h"
#include "nn/memory.h"

namespace madang {
namespace {

struct Qwen3NextShape : QwenMoeShape {
  int64_t key_heads, value_heads, key_dim, value_dim, kernel;  // of the delta rule

  Qwen3NextShape(const Config& c, const Scope& scope)
      : QwenMoeShape(c, scope),
        key_heads(c.integer("linear_num_key_heads")),
        value_heads(c.integer("linear_num_value_heads")),
        key_dim(c.integer("linear_key_head_dim")),
        value_dim(c.integer("linear_value_head_dim")),
        kernel(c.integer("linear_conv_kernel_dim")) {
    if (value_heads % key_heads != 0)
      throw Error(Kind::format, say("the configuration's {} cannot be", "linear_num_value_heads"))
          .at(c.where())
          .expected(fmt::format("a multiple of {}", key_heads))
          .found(std::to_string(value_heads));
    head_norm = true, shared_hidden = c.integer("shared_expert_intermediate_size");
    for (const std::string& kind : kinds) rotates.push_back(kind != "linear_attention");
    ropes.erase("linear_attention");
  }
  Attention::Shape attention(int layer) const override {
    Attention::Shape s = QwenMoeShape::attention(layer);
    s.names.o = "";  // the gate comes first
    return s;
  }
  bool attends(int layer) const { return kinds[static_cast<size_t>(layer)] != "linear_attention"; }
  int64_t keys() const { return key_heads * key_dim; }
  int64_t values() const { return value_heads * value_dim; }
};

/// S = g S (I - beta k k^T) + beta v k^T, y = S q  (Yang et al. 2024, eq. 10).
struct GatedDeltaNet {
  int64_t Hk, Hv, K, V, kernel;
  Act activation;
  Linear in, in_gates, out;
  Buffer conv, dt_bias;
  DecayRate decay;
  RmsNorm norm;

  GatedDeltaNet(const Qwen3NextShape& m, const Scope& scope)
      : Hk(m.key_heads),
        Hv(m.value_heads),
        K(m.key_dim),
        V(m.value_dim),
        kernel(m.kernel),
        activation(m.act),
        in(scope / "in_proj_qkvz", m.width, 2 * m.keys() + 2 * m.values()),
        in_gates(scope / "in_proj_ba", m.width, 2 * m.value_heads),
        out(scope / "out_proj", m.values(), m.width),
        conv(scope.tensor("conv1d.weight", {mixed(), m.kernel})),
        dt_bias(scope.vector("dt_bias", m.value_heads)),
        decay(scope, "A_log", {m.value_heads}),
        norm(scope / "norm", m.value_dim, m.eps) {}

  int64_t mixed() const { return 2 * Hk * K + Hv * V; }  // channels of the convolution: q, k, v
  int64_t matrices() const { return Hv * V * K; }

  /// Unit vectors of the heads [T Hk, K], each as often as it has value heads.
  Tensor units(Ctx& c, Tensor x, float size) const {
    const auto dim = static_cast<float>(K);
    const Tensor unit = scale(c, rms_norm(c, x, {}, 1e-6f / dim), size / std::sqrt(dim));
    const std::vector<Tensor> copies(static_cast<size_t>(Hv / Hk), unit);
    return beside(c, copies).reshape({x.rows() * Hv / Hk, K});
  }

  Tensor operator()(Ctx& c, Tensor x, const Step& step, int layer) const {
    const Memory memory(step, layer, {(kernel - 1) * mixed(), matrices()});
    const int64_t T = x.rows(), share = Hv / Hk;  // value heads of a key head, which lie with it
    const Tensor said = in(c, x).reshape({T * Hk, 2 * K + 2 * share * V});
    const Tensor gates = in_gates(c, x).reshape({T * Hk, 2 * share});
    const Tensor z = columns(c, said, 2 * K + share * V, share * V).reshape({T * Hv, V});
    const Tensor qkv[] = {columns(c, said, 0, K).reshape({T, Hk * K}), columns(c, said, K, K).reshape({T, Hk * K}),
                          columns(c, said, 2 * K, share * V).reshape({T, Hv * V})};
    const Tensor mixture = act(c, activation, causal_conv(c, beside(c, qkv), conv, {}, memory[0]));
    const Tensor q =
        units(c, columns(c, mixture, 0, Hk * K).reshape({T * Hk, K}), 1 / std::sqrt(static_cast<float>(K)));
    const Tensor k = units(c, columns(c, mixture, Hk * K, Hk * K).reshape({T * Hk, K}), 1);  // [T Hv, K]
    const Tensor v = columns(c, mixture, 2 * Hk * K, Hv * V);                                // [T, Hv V]
    const Tensor beta = act(c, Act::sigmoid, columns(c, gates, 0, share)).reshape({T * Hv, 1});
    const Tensor step_size =
        act(c, Act::softplus, add_row(c, columns(c, gates, share, share).reshape({T, Hv}), dt_bias));
    const Tensor g = exponential(c, mul(c, step_size, decay(c)));  // [T, Hv]
    const Tensor taken = scale_rows(c, k, beta).reshape({T, Hv * K});
    const Tensor lost = scale(c, scale_rows(c, k, g.reshape({T * Hv, 1})), -1).reshape({T, Hv * K});
    const Tensor y = matrix_memory(
        c, {.r = q.reshape({T, Hv * K}), .k = taken, .v = v, .decay = g, .a = lost, .b = taken, .heads = Hv},
        memory[1]);
    const Tensor heard = gated(c, Act::silu, z, norm(c, y.reshape({T * Hv, V})));
    return out(c, heard.reshape({T, Hv * V}));  // [T, D]
  }
  StateSpec state() const { return {.kind = StateKind::recurrent, .floats = (kernel - 1) * mixed() + matrices()}; }
};

/// What is heard passes a gate of its own, number by number.
struct GatedAttention {
  Attention attn;
  Linear gate, out;

  GatedAttention(const Qwen3NextShape& m, const Scope& scope, int layer)
      : attn(scope, m.attention(layer)),
        gate(scope / "gate_proj", m.width, m.heads * m.head_dim, m.qkv_bias),
        out(scope / "o_proj", m.heads * m.head_dim, m.width, m.out_bias) {}

  Tensor operator()(Ctx& c, Tensor x, const Angles* angles, const Step& step, int layer) const {
    return out(c, gated(c, Act::sigmoid, gate(c, x), attn(c, x, angles, step, layer)));  // [T, D]
  }
};

struct Block {
  Norm norm1, norm2;
  std::optional<GatedAttention> attn;
  std::optional<GatedDeltaNet> delta;
  QwenFeed feed;

  Block(const Qwen3NextShape& m, const Config&, const Scope& scope, int layer)
      : norm1(m.norm(scope / "input_layernorm")),
        norm2(m.norm(scope / "post_attention_layernorm")),
        feed(m, scope / "mlp", layer) {
    if (m.attends(layer))
      attn.emplace(m, scope / "self_attn", layer);
    else
      delta.emplace(m, scope / "linear_attn");
  }

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    const Tensor in = norm1(c, x);
    x = add(c, x, delta ? (*delta)(c, in, step, layer) : (*attn)(c, in, positions.of(layer), step, layer));  // [T, D]
    return add(c, x, feed(c, norm2(c, x)));                                                                  // [T, D]
  }
  StateSpec state() const { return delta ? delta->state() : attn->attn.state(); }
};

}  // namespace

std::unique_ptr<Model> build_qwen3_next(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Qwen3NextShape, Block>>(config, scope);
}

}  // namespace madang
