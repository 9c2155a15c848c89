// The layers models are made of. Each asks its Scope for weights by name and shape, and is called like a function.
// Quantization and adapters live in Linear; no model knows of them.
#pragma once
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>

#include "nn/step.h"
#include "ops/ops.h"
#include "store/config.h"
#include "store/scope.h"

namespace madang {

/// y = W x (+ b), plus what an adapter adds.  W [out, in] named "weight", b [out] named "bias".
class Linear {
 public:
  Linear() = default;
  Linear(const Scope& scope, int64_t in, int64_t out, bool bias = false);
  Tensor operator()(Ctx& c, Tensor x) const {  // [T, in] -> [T, out]
    Product p = product();
    linear(c, {&p, 1}, x);
    return finished(c, x, p.y);
  }
  /// In two parts, for products that are done together: what is multiplied, and y with what an adapter adds.
  Product product() const { return {weight_, low_rank_ && low_rank_->magnitude.view() ? Tensor() : bias_, {}}; }
  Tensor finished(Ctx& c, Tensor x, Tensor y) const { return low_rank_ ? adapted(c, x, y) : y; }

 private:
  friend class Embed;
  void adapt(const Scope& scope);
  Tensor adapted(Ctx& c, Tensor x, Tensor y) const;
  Weight weight_;
  Buffer bias_, norms_;
  std::shared_ptr<const AdapterPart> low_rank_;
};

/// Several linear layers of one input, in one go: {q(c, x), k(c, x), v(c, x)}.
template <class... Layers>
std::array<Tensor, sizeof...(Layers)> together(Ctx& c, Tensor x, const Layers&... layers) {
  Product products[] = {layers.product()...};
  linear(c, products, x);
  const Product* next = products;
  return {layers.finished(c, x, (next++)->y)...};  // braces go from left to right
}

/// Token embeddings, and the output head that may be the same matrix.
class Embed {
 public:
  Embed() = default;
  Embed(const Scope& scope, int64_t vocabulary, int64_t width) : weight_(scope.weight("weight", vocabulary, width)) {}
  Tensor operator()(Ctx& c, std::span<const int32_t> ids) const { return embed(c, weight_, ids); }  // -> [T, D]
  /// `head`: where the output matrix would be if it were another.
  Linear as_head(const Scope& head, Buffer bias = {}) const;

 private:
  Weight weight_;
};

/// How a norm measures: by the root mean square (Zhang and Sennrich 2019), x / sqrt(mean(x^2) + eps) * (w + offset),
/// or by mean and deviation (Ba et al. 2016), with or without a bias.
enum class NormKind { rms, layer, layer_without_bias };

/// A norm over the last axis; RmsNorm and LayerNorm make one.
class Norm {
 public:
  Norm() = default;
  Tensor operator()(Ctx& c, Tensor x) const {
    return centered_ ? layer_norm(c, x, weight_, bias_, eps_) : rms_norm(c, x, weight_, eps_, offset_);
  }

 protected:
  Buffer weight_, bias_;
  float eps_ = 0, offset_ = 0;
  bool centered_ = false;
};

struct RmsNorm : Norm {
  RmsNorm() = default;
  RmsNorm(const Scope& scope, int64_t width, float eps, float offset = 0) {
    weight_ = scope.vector("weight", width), eps_ = eps, offset_ = offset;
  }
};

struct LayerNorm : Norm {
  LayerNorm() = default;
  /// `pieces`: weights for so many rows in turn (the heads of a token).
  LayerNorm(const Scope& scope, int64_t width, float eps, bool bias = true, int64_t pieces = 1) {
    const Shape shape = pieces == 1 ? Shape{width} : Shape{pieces, width};
    weight_ = scope.tensor("weight", shape), eps_ = eps, centered_ = true;
    if (bias) bias_ = scope.tensor("bias", shape);
  }
};

/// LayerNorm of each head by itself, x [T * heads, dim], with weights over all heads together ("group norm").
struct HeadsNorm : Norm {
  HeadsNorm(const Scope& scope, int64_t heads, int64_t dim, float eps, bool bias = true) {
    weight_ = scope.vector("weight", heads * dim), eps_ = eps, centered_ = true;
    if (bias) bias_ = scope.vector("bias", heads * dim);
  }
};

/// A parameter that enters as -exp(x), the rate at which a state decays. What does not change is computed once.
class DecayRate {
 public:
  DecayRate() = default;
  DecayRate(const Scope& scope, std::string_view name, Shape shape);
  Tensor operator()(Ctx& c) const { return c.tape || !rate_.view() ? neg_exp(c, log_) : rate_.view(); }

 private:
  Buffer log_, rate_;
};

/// What attention is told of positions: cos and sin of every token's rotary angles, or a bias on scores, or both.
struct Angles {
  Tensor cos = {}, sin = {};  // [T, rotary / 2]
  Tensor bias = {};           // [heads, positions], by the key's absolute position
  Tensor sizes = {};          // [T], by which queries grow
};

/// Rotary positions (Su et al. 2021) with the scalings that configurations name: linear, dynamic (NTK), yarn (Peng
/// et al. 2023), llama3, longrope (Ding et al. 2024). Factors that depend on length follow each segment's limit.
class Rope {
 public:
  Rope() = default;
  /// `factors`: divisors of the frequencies from the file (GGUF rope_freqs), or empty.
  Rope(RopeParameters parameters, int64_t head_dim, int64_t max_positions, std::vector<float> factors = {});
  Angles operator()(Ctx& c, const Step& step) const;

 private:
  void frequencies(int64_t limit, std::vector<float>& out, float& magnitude) const;
  RopeParameters parameters_;
  int64_t rotary_ = 0, max_positions_ = 0;
  std::vector<float> factors_;
};

/// Attention with linear biases (Press et al. 2022): a key's score grows with its position, by a slope of the head's.
class Alibi {
 public:
  /// `scale` multiplies the biases; `bfloat16`: slopes and products are rounded to it, as Falcon was trained.
  Alibi(int heads, float scale, bool bfloat16);
  Angles operator()(Ctx& c, const Step& step) const;

 private:
  std::vector<float> slopes_;
  float scale_;
  bool bfloat16_;
};

/// How q, k and v lie in one matrix: all of q, then k, then v; or kv head by kv head, each with its query heads.
enum class Fused { none, stacked, grouped };

/// Multi-head, grouped-query or multi-query attention. Rotary angles are given at each call: a layer without
/// positions passes none.
class Attention {
 public:
  struct Shape {
    int64_t width = 0, out_width = 0;  ///< of what it hears; of what it answers, 0: the same
    int heads = 1, kv_heads = 1, head_dim = 0;
    float scale = 0;           ///< 0: 1 / sqrt(head_dim)
    int64_t window = 0;        ///< 0: sees everything before
    int64_t chunk = 0;         ///< > 0: sees its own chunk of so many positions only
    SparseBlocks blocks = {};  ///< sees some blocks of keys only
    float softcap = 0;
    bool qkv_bias = false, out_bias = false;
    bool head_norm = false;  ///< RMSNorm over each head of q and k ("q_norm", "k_norm"), before rotation
    bool wide_norm = false;  ///< the same over all heads together
    NormKind norm = NormKind::rms;
    bool norm_each_head = false;  ///< head_norm: every head has weights of its own
    float norm_eps = 0, norm_offset = 0;
    bool paired = false;     ///< rotation turns neighbours, not halves
    bool bare_norm = false;  ///< norms without weights on the heads of q and k, after rotation
    bool sinks = false;      ///< a learned score beside the keys' ("sinks")
    Fused fused = Fused::none;
    struct Names {
      std::string_view q = "q_proj", k = "k_proj", v = "v_proj", o = "o_proj", qkv = "qkv_proj", q_norm = "q_norm",
                       k_norm = "k_norm";
    } names = {};  ///< o empty: what the heads heard is the answer, for the model to go on with
  };
  Attention() = default;
  Attention(const Scope& scope, const Shape& shape);
  /// `layer` says which of the sequence states is this layer's.
  Tensor operator()(Ctx& c, Tensor x, const Angles* angles, const Step& step, int layer) const {
    return attend(c, project(c, x), angles, step, layer);  // [T, D] -> [T, D]
  }
  /// The same in two steps, for what comes in between (Zamba 2's adapters).
  struct Heads {
    Tensor q, k, v;  // [T, heads * head_dim], kv_heads
  };
  Heads project(Ctx& c, Tensor x) const;
  Tensor attend(Ctx& c, Heads heads, const Angles* angles, const Step& step, int layer) const;
  StateSpec state() const;

 private:
  Norm head_norm(const Scope& scope, int heads) const;
  Tensor with_state(Ctx& c, const Heads& h, const AttentionShape& op, const Step& step, int layer) const;
  Tensor answer(Ctx& c, Tensor heard) const { return shape_.names.o.empty() ? heard : o_(c, heard); }
  Shape shape_;
  Linear q_, k_, v_, o_, qkv_;
  std::optional<Norm> q_norm_, k_norm_;
  Buffer sinks_;
};

/// down(act(gate x) * up x)  (Shazeer 2020), names as given: {"gate_proj", "up_proj", "down_proj"} or {"w1", "w3",
/// "w2"}. Without a gate, down(act(up x)); `both` names one matrix of gate above up.
class Mlp {
 public:
  struct Names {
    std::string_view gate = "gate_proj", up = "up_proj", down = "down_proj", both = "";
    bool alternate = false;  ///< rows of `both` are gate, up, gate, up, ... instead
  };
  Mlp() = default;
  Mlp(const Scope& scope, int64_t width, int64_t hidden, Act act, bool bias, const Names& names);
  Mlp(const Scope& scope, int64_t width, int64_t hidden, Act act, bool bias = false)
      : Mlp(scope, width, hidden, act, bias, Names{}) {}
  Tensor operator()(Ctx& c, Tensor x) const;
  /// The activation of gpt-oss and Phi-3-small instead: clamped_swiglu.
  void clamp(float alpha, float limit) { alpha_ = alpha, limit_ = limit; }

 private:
  std::array<Tensor, 2> halves(Ctx& c, Tensor both) const;
  Act act_ = Act::silu;
  float alpha_ = 0, limit_ = 0;
  int64_t hidden_ = 0;
  bool alternate_ = false;
  Linear gate_, up_, down_;
  enum { gated_apart, gated_together, plain } form_ = gated_apart;
};

/// A sparse mixture of experts: every token goes to the k experts its router likes best.
class Moe {
 public:
  struct Shape {
    int64_t width = 0, hidden = 0;
    int experts = 0, chosen = 0;
    bool renormalize = true;  ///< weights of the chosen ones sum to one
    Act act = Act::silu;
    std::string_view router = "gate";
    Mlp::Names names;
    bool bias = false, router_bias = false;
    enum class Score { softmax, sigmoid, sparse_mixer } score = Score::softmax;
    float jitter = 0;         ///< of sparse_mixer
    bool correction = false;  ///< a bias that counts for the choice only, the router's "e_score_correction_bias"
    bool on_input = false;    ///< weights multiply what experts hear, not what they answer (Llama 4)
    float weights_scale = 1;  ///< of all weights
    int groups = 1, groups_kept = 1, judges = 1;  ///< as in Choice
    float alpha = 0, limit = 0;                   ///< > 0: clamped_swiglu
    int64_t latent = 0;  ///< > 0: experts hear and answer in so many numbers ("fc1_latent_proj", "fc2_latent_proj")
    bool latent_bias = false;
  };
  Moe() = default;
  Moe(const Scope& scope, const Shape& shape);
  Tensor operator()(Ctx& c, Tensor x) const;

 private:
  Routed route(Ctx& c, Tensor x) const;
  Shape shape_;
  Linear router_, to_latent_, from_latent_;
  Buffer correction_;
  std::vector<Mlp> experts_;
};

/// Multi-head latent attention (DeepSeek-V2, 2024, section 2.1), absorbed: queries are taken to the latent, keys and
/// values of all heads are the latent itself, and only it and one rotated key are remembered.
class Mla {
 public:
  struct Shape {
    int64_t width = 0;
    int heads = 1;
    int64_t q_rank = 0, kv_rank = 0;      ///< q_rank 0: queries straight from the input
    int nope = 0, rotary = 0, value = 0;  ///< numbers of a head: not rotated, rotated, of its value
    float scale = 0;
    bool bias = false, paired = true;
  };
  Mla() = default;
  Mla(const Scope& scope, const Shape& shape);
  Tensor operator()(Ctx& c, Tensor x, const Angles* angles, const Step& step, int layer) const;  // [T, D] -> [T, D]
  StateSpec state() const;

 private:
  Tensor queries(Ctx& c, Tensor x, const Angles& angles) const;
  Tensor rotated(Ctx& c, Tensor x, const Angles& angles) const;
  Shape shape_;
  Linear q_, q_a_, q_b_, kv_a_, o_;
  std::vector<Linear> k_b_, v_b_;  // one a head: [rank, nope], [value, rank]
  RmsNorm q_norm_, kv_norm_;
};

/// 0.1 * mscale * ln(factor) + 1: what yarn does to the size of scores (Peng et al. 2023, section 3.4).
double yarn_magnitude(double factor, double mscale);

/// Mamba's mixer (Gu and Dao 2023, section 3): a gated selective state space behind a short convolution.
class Mamba {
 public:
  struct Shape {
    int64_t width = 0, inner = 0, states = 0, conv = 0, dt_rank = 0;
    bool conv_bias = true, bias = false;
    Act act = Act::silu;
    /// Norms on what selects (dt, B, C): none, without weights (Falcon Mamba), or with (Jamba).
    enum class Inner { none, bare, weighted } inner_norm = Inner::none;
    float inner_eps = 0;
  };
  Mamba() = default;
  Mamba(const Scope& scope, const Shape& shape);
  Tensor operator()(Ctx& c, Tensor x, const Step& step, int layer) const;
  StateSpec state() const;

 private:
  Shape shape_;
  Linear in_, x_, dt_, out_;
  Tensor normed(Ctx& c, Tensor x, const Norm& norm) const;
  Buffer conv_, conv_bias_, d_;
  DecayRate decay_;
  Norm dt_norm_, b_norm_, c_norm_;
};

/// Mamba-2's mixer (Dao and Gu 2024, section 7): one projection for all that a token says, a decay for each head, and
/// a gated norm before the answer.
class Mamba2 {
 public:
  struct Shape {
    int64_t width = 0, heads = 0, head_dim = 0, groups = 1, states = 0, conv = 0;
    bool conv_bias = true, bias = false;
    Act act = Act::silu;
    float eps = 0;                                                   ///< of the norm, which is over a group's channels
    float least = 0, most = std::numeric_limits<float>::infinity();  ///< step sizes

    int64_t inner() const { return heads * head_dim; }
    int64_t mixed() const { return inner() + 2 * groups * states; }  ///< channels of the convolution: x, B, C
  };
  Mamba2() = default;
  Mamba2(const Scope& scope, const Shape& shape);
  Tensor operator()(Ctx& c, Tensor x, const Step& step, int layer) const;  // [T, D] -> [T, D]
  StateSpec state() const;

 private:
  Shape shape_;
  Linear in_, out_;
  Buffer conv_, conv_bias_, dt_bias_, d_;
  DecayRate decay_;
  RmsNorm norm_;
};

/// The activation that a configuration names; throws Kind::unsupported listing the known ones.
Act act_of(const Config& config, std::string_view key);

}  // namespace madang
