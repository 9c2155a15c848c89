// What decoder-only language models share: the trunk (embed, blocks, norm, head) and the numbers of a transformer's
// configuration, read once, with the checks that keep absurd ones out of the layers.
#pragma once
#include <map>
#include <optional>

#include "models/model.h"

namespace madang {

/// Rotary angles of every layer: some models rotate kinds of layers differently, or some not at all.
class Positions {
 public:
  void add(const std::string& kind, const Angles& angles) { kinds_.emplace(kind, angles); }
  void add_layer(const std::string& kind, bool rotates) {
    layers_.push_back(rotates ? &kinds_.find(kind)->second : nullptr);
  }
  const Angles* of(int layer) const { return layers_[static_cast<size_t>(layer)]; }  ///< null: no positions

 private:
  std::map<std::string, Angles> kinds_;  // nodes stay where they are
  std::vector<const Angles*> layers_;
};

/// What the trunk needs to know.
struct TrunkShape {
  int64_t vocabulary, width;
  int layers;
  float eps;
  bool tied;
  NormKind norm_kind = NormKind::rms;
  float norm_offset = 0;       ///< 1 where files store w - 1 (Gemma)
  bool head_bias = false;      ///< on the logits
  int64_t learned_places = 0;  ///< > 0: embeddings of so many positions are added to those of tokens
  float embedding_scale = 1, logit_scale = 1, logit_softcap = 0;
  struct Names {
    std::string_view embed = "model.embed_tokens", layers = "model.layers", norm = "model.norm", places = "",
                     embed_norm = "", head = "lm_head";
  } names;

  TrunkShape(const Config& config, std::string_view eps_key);
  Norm norm(const Scope& scope) const;  ///< one over the width
  Norm last_norm(const Scope& scope) const { return norm(scope); }
};

/// The row of learned positions of every token; throws Kind::limit if one lies behind the last.
std::span<const int32_t> places_of(Ctx& c, const Step& step, int64_t most);

/// A transformer's numbers.
struct TransformerShape : TrunkShape {
  int64_t hidden, max_positions;
  int heads, kv_heads, head_dim = 0;
  float attention_scale = 0;  ///< 0: 1 / sqrt(head_dim)
  float attention_softcap = 0;
  Act act;
  bool qkv_bias, out_bias, mlp_bias;
  bool head_norm = false, wide_norm = false;  ///< on q and k: per head, or over all heads
  bool parallel = false;           ///< both sublayers hear the block's input, and what they say is added together
  int64_t window;                  ///< of sliding layers
  std::vector<std::string> kinds;  ///< per layer: "full_attention", "sliding_attention"
  std::vector<int64_t> rotates;    ///< per layer: 0 where a layer has no positions; empty: all have
  std::map<std::string, Rope, std::less<>> ropes;  ///< per kind; empty: none rotates
  std::optional<Alibi> alibi;
  struct BlockNames {
    std::string_view norm1 = "input_layernorm", norm2 = "post_attention_layernorm", attention = "self_attn",
                     mlp = "mlp", norm1_after = "", norm2_after = "";
  } block;  ///< norm2 empty: the sublayers of a parallel block share one norm
  Attention::Shape::Names attention_names;
  Mlp::Names mlp_names;
  Fused fused = Fused::none;
  bool paired = false;  ///< rotation turns neighbours

  TransformerShape(const Config& config, const Scope& scope, std::string_view eps_key = "rms_norm_eps");
  /// Attention of one layer: a window where the layer slides.
  virtual Attention::Shape attention(int layer) const;
  virtual ~TransformerShape() = default;
  Positions positions(Ctx& c, const Step& step) const;
};

/// The trunk. A Block is built as Block(shape, config, scope, layer) and called as block(c, x, positions, step, layer).
template <class Shape, class Block>
class Decoder : public Model {
 public:
  Decoder(const Config& config, const Scope& scope)
      : shape_(config, scope),
        embed_(scope / shape_.names.embed, shape_.vocabulary, shape_.width),
        norm_(shape_.last_norm(scope / shape_.names.norm)),
        head_(head_of(scope / shape_.names.head)) {
    if (!shape_.names.embed_norm.empty()) embed_norm_ = shape_.norm(scope / shape_.names.embed_norm);
    if (shape_.learned_places > 0) places_.emplace(scope / shape_.names.places, shape_.learned_places, shape_.width);
    for (int i = 0; i < shape_.layers; ++i) blocks_.emplace_back(shape_, config, scope / shape_.names.layers / i, i);
  }

  Tensor hidden(Ctx& c, const Step& step) const override {
    auto positions = shape_.positions(c, step);
    Tensor x = embed_(c, step.ids);  // [T, D]
    if (embed_norm_) x = (*embed_norm_)(c, x);
    if (places_) x = add(c, x, (*places_)(c, places_of(c, step, shape_.learned_places)));
    if (shape_.embedding_scale != 1) x = scale(c, x, shape_.embedding_scale);
    if constexpr (requires { positions.hear(c, x); }) positions.hear(c, x);  // who listens to the embeddings again
    for (int i = 0; i < shape_.layers; ++i)
      x = c.frame(x, [&](Tensor in) { return blocks_[static_cast<size_t>(i)](c, in, positions, step, i); });
    return norm_(c, rows(c, x, step.wanted));  // [wanted, D]
  }

  Tensor forward(Ctx& c, const Step& step) const override {
    Tensor logits = head_(c, hidden(c, step));  // [wanted, V]
    if (shape_.logit_scale != 1) logits = scale(c, logits, shape_.logit_scale);
    if (const float cap = shape_.logit_softcap; cap > 0)
      logits = scale(c, act(c, Act::tanh, scale(c, logits, 1 / cap)), cap);
    return logits;
  }

  std::vector<StateSpec> states() const override {
    std::vector<StateSpec> all;
    for (const Block& block : blocks_) all.push_back(block.state());
    if constexpr (requires(const Block& block) { block.second_state(); })  // of layers that remember in two ways
      for (const Block& block : blocks_)
        if (std::optional<StateSpec> more = block.second_state()) all.push_back(*more);
    return all;
  }
  int64_t vocabulary() const override { return shape_.vocabulary; }

 private:
  Linear head_of(const Scope& scope) const {
    if (!shape_.tied && scope.has("weight")) return Linear(scope, shape_.width, shape_.vocabulary, shape_.head_bias);
    return embed_.as_head(scope, shape_.head_bias ? scope.vector("bias", shape_.vocabulary) : Buffer());
  }

  Shape shape_;
  Embed embed_;
  std::optional<Embed> places_;
  std::optional<Norm> embed_norm_;
  std::vector<Block> blocks_;
  Norm norm_;
  Linear head_;
};

}  // namespace madang
