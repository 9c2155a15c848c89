// xLSTM 7B (Beck et al. 2024 and 2025): mLSTM cells, matrix memories behind exponential gates, in blocks like a
// transformer's; no attention, no positions.
#include <cmath>

#include "base/error.h"
#include "models/decoder.h"
#include "models/models.h"
#include "nn/memory.h"

namespace madang {
namespace {

struct XlstmShape : TrunkShape {
  int64_t heads, keys, values, hidden;  // of all heads; hidden: of the MLP
  float gate_cap, cell_eps;
  bool bias, fused;

  struct NoPositions {};
  NoPositions positions(Ctx&, const Step&) const { return {}; }

  XlstmShape(const Config& c, const Scope&)
      : TrunkShape(c, "norm_eps"),
        heads(c.integer("num_attention_heads")),
        keys(part(c, "qk_dim_factor")),
        values(part(c, "v_dim_factor")),
        gate_cap(static_cast<float>(c.real("gate_soft_cap", 0.0))),
        cell_eps(static_cast<float>(c.real("eps"))),
        bias(c.flag("use_bias")),
        fused(c.text("weight_mode") == "fused") {
    if (!fused && c.text("weight_mode") != "single")
      throw Error(Kind::unsupported, say("the configuration's {} cannot be", "weight_mode"))
          .at(c.where())
          .expected("single, fused")
          .found(c.text("weight_mode"));
    const auto multiple = static_cast<double>(c.integer("ffn_round_up_to_multiple_of"));
    const double up = static_cast<double>(width) * c.real("ffn_proj_factor");
    hidden = static_cast<int64_t>(std::floor((up + multiple - 1) / multiple) * multiple);
    layers = static_cast<int>(c.integer("num_blocks", layers));
    logit_softcap = static_cast<float>(c.real("output_logit_soft_cap", 0.0));
    names = {"backbone.embeddings", "backbone.blocks", "backbone.out_norm"};
  }

 private:
  // The share of the width that a key of the configuration names, checked to divide into heads.
  int64_t part(const Config& c, std::string_view key) const {
    const double factor = c.real(key);
    const auto n = factor > 0 && factor <= 64 ? static_cast<int64_t>(static_cast<double>(width) * factor) : 0;
    if (n < 1 || n % heads != 0)
      throw Error(Kind::format, say("the configuration's {} cannot be", key))
          .at(c.where())
          .expected(fmt::format("{} x {} a multiple of {}", width, key, heads))
          .found(std::to_string(factor));
    return n;
  }
};

/// RMSNorm with a bias, which only models with biases everywhere have.
struct BiasedNorm {
  RmsNorm norm;
  Buffer bias;
  BiasedNorm(const XlstmShape& m, const Scope& scope)
      : norm(scope, m.width, m.eps), bias(m.bias ? scope.vector("bias", m.width) : Buffer()) {}
  Tensor operator()(Ctx& c, Tensor x) const {
    const Tensor y = norm(c, x);
    return bias.view() ? add_row(c, y, bias) : y;
  }
};

/// The mLSTM (Beck et al. 2024, section 2.3): C = f C + i v k^T, n = f n + i k, h = C q / max(|n q|, exp(-m)).
struct Cell {
  int64_t heads, K, V;  // of a head
  float cap, eps;
  bool fused;
  Linear q, k, v, o, i, f, all, gates, out;
  HeadsNorm norm;

  Cell(const XlstmShape& m, const Scope& scope)
      : heads(m.heads),
        K(m.keys / m.heads),
        V(m.values / m.heads),
        cap(m.gate_cap),
        eps(m.cell_eps),
        fused(m.fused),
        out(scope / "out_proj", m.values, m.width, m.bias),
        norm(scope / "multihead_norm", m.heads, V, m.eps, m.bias) {
    if (fused) {
      all = Linear(scope / "qkv_opreact", m.width, 2 * m.keys + 2 * m.values, m.bias);
      gates = Linear(scope / "ifgate_preact", m.width, 2 * heads, true);
      return;
    }
    q = Linear(scope / "q", m.width, m.keys, m.bias), k = Linear(scope / "k", m.width, m.keys, m.bias);
    v = Linear(scope / "v", m.width, m.values, m.bias), o = Linear(scope / "ogate_preact", m.width, m.values, m.bias);
    i = Linear(scope / "igate_preact", m.width, heads, true), f = Linear(scope / "fgate_preact", m.width, heads, true);
  }

  struct Said {
    Tensor q, k, v, o, i, f;
  };
  Said project(Ctx& c, Tensor x) const {
    if (!fused) return {q(c, x), k(c, x), v(c, x), o(c, x), i(c, x), f(c, x)};
    const Tensor said = all(c, x), g = gates(c, x);
    const int64_t keys = heads * K, values = heads * V;
    return {columns(c, said, 0, keys),
            columns(c, said, keys, keys),
            columns(c, said, 2 * keys, values),
            columns(c, said, 2 * keys + values, values),
            columns(c, g, 0, heads),
            columns(c, g, heads, heads)};
  }
  Tensor capped(Ctx& c, Tensor x) const { return cap > 0 ? scale(c, act(c, Act::tanh, scale(c, x, 1 / cap)), cap) : x; }

  Tensor operator()(Ctx& c, Tensor x, const Memory& memory) const {
    const int64_t T = x.rows(), R = T * heads;
    const Said say = project(c, x);
    const Gates g = exponential_gates(c, capped(c, say.i), capped(c, say.f), memory[0]);  // [T, H]
    Tensor ones = c.make({R, 1});
    std::fill_n(ones.f32(), R, 1.0f);
    // The normalizer n is what the memory holds of a value that is always one.
    const Tensor parts[] = {say.v.reshape({R, V}), ones};
    const Tensor taken = scale_rows(c, say.k.reshape({R, K}), g.take.reshape({R, 1}));
    const Tensor sums = matrix_memory(c,
                                      {.r = scale(c, say.q, 1 / std::sqrt(static_cast<float>(K))),
                                       .k = taken.reshape({T, heads * K}),
                                       .v = beside(c, parts).reshape({T, heads * (V + 1)}),
                                       .decay = g.keep,
                                       .heads = heads},
                                      memory[1]);
    const Tensor h = normalized(c, sums.reshape({R, V + 1}), g.least.reshape({R, 1}), eps);  // [T H, V]
    return out(c, gated(c, Act::sigmoid, say.o, norm(c, h).reshape({T, heads * V})));        // [T, D]
  }
  int64_t floats() const { return heads * (V + 1) * K; }
};

struct Block {
  BiasedNorm norm_mlstm, norm_ffn;
  Cell mlstm;
  Mlp ffn;

  Block(const XlstmShape& m, const Config&, const Scope& scope, int)
      : norm_mlstm(m, scope / "norm_mlstm"),
        norm_ffn(m, scope / "norm_ffn"),
        mlstm(m, scope / "mlstm_layer"),
        ffn(scope / "ffn", m.width, m.hidden, Act::silu, m.bias,
            {"proj_up_gate", "proj_up", "proj_down", m.fused ? "proj_up_gate_z" : ""}) {}

  Tensor operator()(Ctx& c, Tensor x, XlstmShape::NoPositions, const Step& step, int layer) const {
    x = add(c, x, mlstm(c, norm_mlstm(c, x), Memory(step, layer, {mlstm.heads, mlstm.floats()})));  // [T, D]
    return add(c, x, ffn(c, norm_ffn(c, x)));                                                       // [T, D]
  }
  StateSpec state() const { return {.kind = StateKind::recurrent, .floats = mlstm.heads + mlstm.floats()}; }
};

}  // namespace

std::unique_ptr<Model> build_xlstm(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<XlstmShape, Block>>(config, scope);
}

}  // namespace madang
