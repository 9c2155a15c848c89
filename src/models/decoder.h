// What decoder-only language models share: the trunk (embed, blocks, norm, head) and the numbers of a transformer's
// configuration, read once, with the checks that keep absurd ones out of the layers.
#pragma once
#include <map>

#include "models/model.h"

namespace madang {

/// Rotary angles for each kind of layer ("full_attention", "sliding_attention"): some models rotate them differently.
class Positions {
 public:
  explicit Positions(std::map<std::string, Angles, std::less<>> angles) : angles_(std::move(angles)) {}
  const Angles& of(std::string_view kind) const { return angles_.find(kind)->second; }

 private:
  std::map<std::string, Angles, std::less<>> angles_;
};

/// A transformer's numbers.
struct TransformerShape {
  int64_t vocabulary, width, hidden, max_positions;
  int layers, heads, kv_heads, head_dim;
  float eps, norm_offset;          ///< norm_offset: 1 where files store w - 1 (Gemma)
  float embedding_scale = 1;
  Act act;
  bool tied, qkv_bias, out_bias;
  int64_t window;                  ///< of sliding layers
  std::vector<std::string> kinds;  ///< per layer: "full_attention", "sliding_attention"
  std::map<std::string, Rope, std::less<>> ropes;  ///< per kind

  TransformerShape(const Config& config, const Scope& scope);
  /// Attention of one layer: a window where the layer slides.
  Attention::Shape attention(int layer) const;
  Positions positions(Ctx& c, const Step& step) const;

  struct Names {
    std::string_view embed = "model.embed_tokens", layers = "model.layers", norm = "model.norm";
  } names;
};

/// The trunk. A Block is built as Block(shape, config, scope, layer) and called as block(c, x, positions, step, layer).
template <class Shape, class Block>
class Decoder : public Model {
 public:
  Decoder(const Config& config, const Scope& scope)
      : shape_(config, scope),
        embed_(scope / shape_.names.embed, shape_.vocabulary, shape_.width),
        norm_(scope / shape_.names.norm, shape_.width, shape_.eps, shape_.norm_offset),
        head_(shape_.tied || !scope.has("lm_head.weight") ? embed_.as_head() : Linear(scope / "lm_head", shape_.width, shape_.vocabulary)) {
    for (int i = 0; i < shape_.layers; ++i) blocks_.emplace_back(shape_, config, scope / shape_.names.layers / i, i);
  }

  Tensor forward(Ctx& c, const Step& step) const override {
    auto positions = shape_.positions(c, step);
    Tensor x = embed_(c, step.ids);  // [T, D]
    if (shape_.embedding_scale != 1) x = scale(c, x, shape_.embedding_scale);
    for (int i = 0; i < shape_.layers; ++i)
      x = c.frame(x, [&](Tensor in) { return blocks_[static_cast<size_t>(i)](c, in, positions, step, i); });
    return head_(c, norm_(c, rows(c, x, step.wanted)));  // [wanted, V]
  }

  std::vector<StateSpec> states() const override {
    std::vector<StateSpec> all;
    for (const Block& block : blocks_) all.push_back(block.state());
    return all;
  }
  int64_t vocabulary() const override { return shape_.vocabulary; }

 private:
  Shape shape_;
  Embed embed_;
  std::vector<Block> blocks_;
  RmsNorm norm_;
  Linear head_;
};

}  // namespace madang
