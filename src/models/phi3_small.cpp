// Phi-3-small (Abdin et al. 2024, section 2): in all layers but every n-th, attention sees some blocks of keys only,
// each head others; GEGELU; sizes that hold for any width (muP, Yang et al. 2022). Its tokenizer fills the vocabulary
// up with names that are never said.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

struct Phi3SmallShape : TransformerShape {
  int64_t dense_every;  ///< 0: no layer sees all keys
  SparseBlocks blocks;
  float alpha, limit;

  Phi3SmallShape(const Config& config, const Scope& scope)
      : TransformerShape(config, scope, "layer_norm_epsilon"),
        dense_every(config.integer("dense_attention_every_n_layers", 0)),
        blocks{.size = config.integer("blocksparse_block_size"),
               .local = config.integer("blocksparse_num_local_blocks"),
               .stride = config.integer("blocksparse_vert_stride")},
        alpha(static_cast<float>(config.real("swiglu_alpha"))),
        limit(static_cast<float>(config.real("swiglu_limit"))) {
    auto only = [&](bool fits, const char* key, std::string wanted) {
      if (!fits)
        throw Error(Kind::unsupported, say("the configuration's {} cannot be", key))
            .at(config.where())
            .expected(std::move(wanted))
            .found(config.keys().at(key).dump());
    };
    only(act == Act::silu, "hidden_act", "gegelu");
    only(blocks.size % kv_block == 0, "blocksparse_block_size", fmt::format("a multiple of {}", kv_block));
    only(config.real("rope_position_scale", 1.0) == 1, "rope_position_scale", "1");
    if (!config.flag("blocksparse_homo_head_pattern")) blocks.step = std::max<int64_t>(1, blocks.stride / heads);
    norm_kind = NormKind::layer;
    names.norm = "model.final_layernorm";
    fused = Fused::grouped;
    attention_names.qkv = "query_key_value", attention_names.o = "dense";
    mlp_names = {.both = "up_proj", .alternate = true};
    qkv_bias = out_bias = mlp_bias = true;
    if (config.flag("mup_use_scaling"))
      attention_scale = static_cast<float>(config.real("mup_attn_multiplier") / head_dim);
    if (const double by = config.real("mup_embedding_multiplier", 0); by > 0) embedding_scale = static_cast<float>(by);
    if (const double by = config.real("mup_width_multiplier", 0); by != 0) logit_scale = static_cast<float>(1 / by);
  }
  Attention::Shape attention(int layer) const override {
    Attention::Shape s = TransformerShape::attention(layer);
    if (dense_every == 0 || (layer + 1) % dense_every != 0) s.blocks = blocks;
    return s;
  }
};

struct Phi3SmallBlock : Block {
  Phi3SmallBlock(const Phi3SmallShape& m, const Config& config, const Scope& scope, int layer)
      : Block(m, config, scope, layer) {
    mlp.clamp(m.alpha, m.limit);
  }
};

/// Ids that the tokenizer, cl100k filled up to a round number, has for no text: {first, last}.
constexpr int64_t unsaid[][2] = {{100256, 100256}, {100258, 100260}, {100264, 100265}, {100267, 100351}};

struct Phi3Small : Decoder<Phi3SmallShape, Phi3SmallBlock> {
  using Decoder::Decoder;
  Tensor forward(Ctx& c, const Step& step) const override {
    Tensor logits = Decoder::forward(c, step);
    for (int64_t t = 0; t < logits.rows(); ++t)
      for (const auto& [first, last] : unsaid)
        for (int64_t id = first; id <= last && id < logits.cols(); ++id)
          logits.row(t)[id] = std::numeric_limits<float>::lowest();
    return logits;
  }
};

}  // namespace

std::unique_ptr<Model> build_phi3_small(const Config& config, const Scope& scope) {
  return std::make_unique<Phi3Small>(config, scope);
}

}  // namespace madang
