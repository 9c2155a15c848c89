// Llama 4's language model (Meta 2025): most layers rotate and see their own chunk only, the others see everything,
// have no positions and sharpen their queries with the distance; experts, one to a token, weigh what they hear, beside
// one for all.
#include <algorithm>
#include <cmath>

#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct Llama4Shape : SparseShape {
  int64_t chunk, floor_scale;
  float sharpening;  // 0: none
  bool norm_after_rotation;
  std::vector<bool> with_experts;

  Llama4Shape(const Config& config, const Scope& scope)
      : SparseShape(config, scope),
        chunk(config.integer("attention_chunk_size", 0)),
        floor_scale(config.integer("floor_scale")),
        sharpening(config.flag("attn_temperature_tuning") ? static_cast<float>(config.real("attn_scale")) : 0),
        norm_after_rotation(config.flag("use_qk_norm")),
        with_experts(static_cast<size_t>(layers), false) {
    paired = true;
    rotates = config.integers("no_rope_layers");  // in spite of its name, 1 where a layer rotates
    const int64_t interval = config.integer("no_rope_layer_interval");
    for (int i = static_cast<int>(rotates.size()); i < layers; ++i) rotates.push_back((i + 1) % interval != 0);
    const int64_t every = config.integer("interleave_moe_layer_step");
    for (int64_t i = every - 1; i < layers && !config.has("moe_layers"); i += every)
      with_experts[static_cast<size_t>(i)] = true;
    for (int64_t i : config.integers("moe_layers"))
      if (i >= 0 && i < layers) with_experts[static_cast<size_t>(i)] = true;
    block.mlp = "feed_forward";
    shared_hidden = hidden;
    experts.router = "router", experts.score = Moe::Shape::Score::sigmoid;
    experts.renormalize = false, experts.on_input = true;
    hidden = config.integer("intermediate_size_mlp");
  }
  bool sparse(int layer) const { return with_experts[static_cast<size_t>(layer)]; }
  Attention::Shape attending(int layer) const {
    Attention::Shape s = attention(layer);
    s.chunk = kinds[static_cast<size_t>(layer)] == "chunked_attention" ? chunk : 0;
    s.bare_norm = norm_after_rotation;
    return s;
  }
  Positions positions(Ctx& c, const Step& step) const {
    Positions all;
    for (const auto& [kind, rope] : ropes) all.add(kind, rope(c, step));
    Angles still;
    if (sharpening != 0) still.sizes = sizes(c, step);
    all.add("", still);
    for (size_t i = 0; i < kinds.size(); ++i) all.add_layer(rotates[i] ? kinds[i] : "", true);
    return all;
  }
  Tensor sizes(Ctx& c, const Step& step) const {
    Tensor all = c.make({step.tokens()});
    for (const Segment& s : step.segments)
      for (int64_t t = 0; t < s.length; ++t) {
        const float far = std::floor(static_cast<float>(s.start + t + 1) / static_cast<float>(floor_scale));
        all.f32()[s.offset + t] = std::log(far + 1.0f) * sharpening + 1.0f;
      }
    return all;
  }
};

}  // namespace

std::unique_ptr<Model> build_llama4(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Llama4Shape, SparseBlock<Attention>>>(config, scope);
}

}  // namespace madang
