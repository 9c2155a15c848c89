// Zamba 2 (Glorioso et al. 2024): a backbone of Mamba-2, and a few transformer blocks that many layers share in turn. A
// shared block hears the embeddings beside the hidden state, is fitted to each place by low-rank adapters, and answers
// through a matrix of the place's own into the input of its Mamba layer.
#include <algorithm>
#include <cmath>

#include "models/hybrid.h"
#include "models/models.h"

namespace madang {
namespace {

/// Positions, and the embeddings as they were.
struct Heard : Positions {
  Tensor embedded;  // [T, D]
  void hear(Ctx& c, Tensor x) { embedded = scale(c, x, 1); }
};

struct Adapter {
  Linear down, up;
  Adapter(const Scope& scope, int64_t in, int64_t rank, int64_t out)
      : down(scope / 0, in, rank), up(scope / 1, rank, out) {}
  Tensor added(Ctx& c, Tensor y, Tensor x) const { return add(c, y, up(c, down(c, x))); }
};

struct SharedBlock {
  RmsNorm norm1, norm2;
  Attention attn;
  Linear gate_up, down;

  SharedBlock(const Scope& scope, const TransformerShape& m, bool bias)
      : norm1(scope / "input_layernorm", 2 * m.width, m.eps),
        norm2(scope / "pre_ff_layernorm", m.width, m.eps),
        gate_up(scope / "feed_forward.gate_up_proj", m.width, 2 * m.hidden, bias),
        down(scope / "feed_forward.down_proj", m.hidden, m.width, bias) {
    Attention::Shape s = m.attention(0);
    s.width = 2 * m.width, s.out_width = m.width;
    s.scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim) / 2);
    attn = Attention(scope / "self_attn", s);
  }
};

struct Zamba2Shape : TransformerShape {
  madang::Mamba2::Shape mixer;
  int64_t rank;
  bool adapted_attention, bias;
  int blocks;                 ///< shared ones, which take turns
  std::vector<int> hybrids;   ///< layers with a shared block
  std::vector<Scope> shared;  ///< of each of those: the weights of the first that shares them, the place's own adapters

  Zamba2Shape(const Config& c, const Scope& scope)
      : TransformerShape(c, scope),
        mixer(mamba2_shape(c, width, 1e-5f)),  // fixed in transformers
        rank(c.integer("adapter_rank")),
        adapted_attention(c.flag("use_shared_attention_adapter")),
        bias(c.flag("add_bias_linear")),
        blocks(static_cast<int>(c.integer("num_mem_blocks"))) {
    names.norm = "model.final_layernorm";
    if (!c.flag("use_mem_rope")) ropes.clear();
    for (int i = 0; i < layers; ++i)
      if (kinds[static_cast<size_t>(i)] == "hybrid") hybrids.push_back(i);
    // A shared block is stored at the first place that uses it. Without tied embeddings transformers ties nothing:
    // every place has a copy, which may have become its own.
    for (size_t p = 0, turn = static_cast<size_t>(blocks); p < hybrids.size(); ++p) {
      const Scope at = scope / names.layers / hybrids[p] / "shared_transformer";
      const bool own = p < turn || (!tied && at.has("input_layernorm.weight"));
      shared.push_back(own ? at : shared[p - turn].adapted_at(at));
    }
  }

  Heard positions(Ctx& c, const Step& step) const { return {TransformerShape::positions(c, step), {}}; }
};

/// One use of a shared block.
struct Place {
  int64_t hidden;
  Act act;
  int state;  ///< which of the sequence's states is the attention's
  SharedBlock block;
  Linear out;
  Adapter gate_up;
  std::vector<Adapter> qkv;

  Place(const Zamba2Shape& m, const Scope& scope, int place)
      : hidden(m.hidden),
        act(m.act),
        state(m.layers + place),
        block(m.shared[static_cast<size_t>(place)], m, m.bias),
        out(scope / "linear", m.width, m.width),
        gate_up(fitted(m, place, "feed_forward.gate_up_proj_adapter_list", m.width, 2 * m.hidden)) {
    if (!m.adapted_attention) return;
    for (const char* name : {"linear_q_adapter_list", "linear_k_adapter_list", "linear_v_adapter_list"})
      qkv.push_back(fitted(m, place, std::string("self_attn.") + name, 2 * m.width, 2 * m.width));
  }

  /// The place's own of a list; in transformers every place has the whole list of its block.
  static Adapter fitted(const Zamba2Shape& m, int place, const std::string& name, int64_t in, int64_t out) {
    const Scope list = m.shared[static_cast<size_t>(place)] / name;
    for (int other = place % m.blocks; other < static_cast<int>(m.hybrids.size()); other += m.blocks)
      if (other != place)
        (list / other / 0).unused_low_rank(m.rank, in), (list / other / 1).unused_low_rank(out, m.rank);
    return Adapter(list / place, in, m.rank, out);
  }

  Tensor operator()(Ctx& c, Tensor x, const Heard& heard, const Step& step, int layer) const {
    const Tensor both[] = {x, heard.embedded};
    const Tensor in = block.norm1(c, beside(c, both));  // [T, 2 D]
    auto [q, k, v] = block.attn.project(c, in);
    if (!qkv.empty()) q = qkv[0].added(c, q, in), k = qkv[1].added(c, k, in), v = qkv[2].added(c, v, in);
    x = block.norm2(c, block.attn.attend(c, {q, k, v}, heard.of(layer), step, state));
    const Tensor up = gate_up.added(c, block.gate_up(c, x), x);  // [T, 2 hidden]
    x = block.down(c, gated(c, act, columns(c, up, 0, hidden), columns(c, up, hidden, hidden)));
    return out(c, x);  // [T, D]
  }
};

struct Block {
  RmsNorm norm;
  madang::Mamba2 mixer;
  std::optional<Place> place;

  Block(const Zamba2Shape& m, const Config&, const Scope& scope, int layer) {
    const auto found = std::ranges::find(m.hybrids, layer);
    const Scope mamba = found == m.hybrids.end() ? scope : scope / "mamba_decoder";
    norm = RmsNorm(mamba / "input_layernorm", m.width, m.eps);
    mixer = madang::Mamba2(mamba / "mamba", m.mixer);
    if (found != m.hybrids.end()) place.emplace(m, scope, static_cast<int>(found - m.hybrids.begin()));
  }

  Tensor operator()(Ctx& c, Tensor x, const Heard& heard, const Step& step, int layer) const {
    const Tensor in = place ? add(c, x, (*place)(c, x, heard, step, layer)) : x;
    return add(c, x, mixer(c, norm(c, in), step, layer));  // [T, D]
  }
  StateSpec state() const { return mixer.state(); }
  std::optional<StateSpec> second_state() const {
    return place ? std::optional(place->block.attn.state()) : std::nullopt;
  }
};

}  // namespace

std::unique_ptr<Model> build_zamba2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Zamba2Shape, Block>>(config, scope);
}

}  // namespace madang
