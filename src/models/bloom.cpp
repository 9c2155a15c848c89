// BLOOM (BigScience 2022): linear biases, a norm after the embedding. StarCoder 2 (Lozhkov et al. 2024): rotary
// attention between LayerNorms, biases everywhere. StableLM (Bellagente et al. 2024): Llama's block with LayerNorm,
// rotation in a part of each head.
#include "base/error.h"
#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

struct BloomShape : TransformerShape {
  BloomShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_epsilon") {
    if (config.flag("apply_residual_connection_post_layernorm", false))
      throw Error(Kind::unsupported,
                  say("the configuration's {} cannot be", "apply_residual_connection_post_layernorm"))
          .at(config.where())
          .expected("false");
    norm_kind = NormKind::layer;
    names = {"transformer.word_embeddings", "transformer.h", "transformer.ln_f", "",
             "transformer.word_embeddings_layernorm"};
    block.attention = "self_attention";
    fused = config.text("source_format") == "gguf" ? Fused::stacked : Fused::grouped;
    attention_names.qkv = "query_key_value", attention_names.o = "dense";
    mlp_names = {.gate = "", .up = "dense_h_to_4h", .down = "dense_4h_to_h"};
    qkv_bias = out_bias = mlp_bias = true;
    ropes.clear();
    alibi.emplace(heads, 1.0f, false);
  }
};

struct StarCoder2Shape : TransformerShape {
  StarCoder2Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_eps") {
    norm_kind = NormKind::layer;
    mlp_names = {.gate = "", .up = "c_fc", .down = "c_proj"};
    qkv_bias = out_bias = mlp_bias = config.flag("use_bias");
  }
};

struct StableLmShape : TransformerShape {
  StableLmShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_eps") {
    norm_kind = NormKind::layer;
    parallel = config.flag("use_parallel_residual");
    if (parallel) block.norm2 = "";
    qkv_bias = config.flag("use_qkv_bias"), out_bias = mlp_bias = false;
    head_norm = config.flag("qk_layernorm");
    attention_names.q_norm = "q_layernorm", attention_names.k_norm = "k_layernorm";
  }
  Attention::Shape attention(int layer) const override {
    Attention::Shape s = TransformerShape::attention(layer);
    s.norm = NormKind::layer_without_bias, s.norm_each_head = true;
    return s;
  }
};

}  // namespace

std::unique_ptr<Model> build_bloom(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<BloomShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_starcoder2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<StarCoder2Shape, Block>>(config, scope);
}
std::unique_ptr<Model> build_stablelm(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<StableLmShape, Block>>(config, scope);
}

}  // namespace madang
