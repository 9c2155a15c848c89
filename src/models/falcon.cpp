// Falcon (Almazrouei et al. 2023): attention and MLP in parallel. 7B: one norm, one head of keys and values; 40B, 180B:
// a norm for each sublayer, groups of heads; 2-11B: groups on one norm; RW: one sublayer after the other, linear
// biases.
#include <cmath>

#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

struct FalconShape : TransformerShape {
  FalconShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_epsilon") {
    norm_kind = NormKind::layer;
    names = {"transformer.word_embeddings", "transformer.h", "transformer.ln_f", ""};
    const bool grouped = config.flag("new_decoder_architecture");
    const bool sequential = !config.flag("parallel_attn");
    const bool two_norms = config.integer("num_ln_in_parallel_attn", grouped ? 2 : 1) == 2;
    if (!grouped) kv_heads = config.flag("multi_query") ? 1 : heads;
    parallel = grouped || !sequential;
    if (!sequential && two_norms && grouped)
      block.norm1 = "ln_attn", block.norm2 = "ln_mlp";
    else if (!sequential)
      block.norm2 = "";
    block.attention = "self_attention";
    const bool apart = config.text("source_format") == "gguf" || (!grouped && kv_heads == 1);
    fused = apart ? Fused::stacked : Fused::grouped;
    attention_names.qkv = "query_key_value", attention_names.o = "dense";
    mlp_names = {.gate = "", .up = "dense_h_to_4h", .down = "dense_4h_to_h"};
    qkv_bias = out_bias = mlp_bias = config.flag("bias");
    if (!config.flag("alibi")) return;
    ropes.clear();
    alibi.emplace(heads, 1 / std::sqrt(static_cast<float>(head_dim)), true);
  }
};

}  // namespace

std::unique_ptr<Model> build_falcon(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<FalconShape, Block>>(config, scope);
}

}  // namespace madang
