// Phi-1.5 and Phi-2 (Microsoft 2023): both sublayers in parallel on one LayerNorm, rotation in a part of each head.
// Phi-3 and Phi-4 (Abdin et al. 2024): Llama's block with fused matrices and, for long contexts, longrope. Phi-3.5-MoE
// (2024): LayerNorm, and two experts chosen by SparseMixer.
#include "models/block.h"
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct PhiShape : TransformerShape {
  PhiShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_eps") {
    norm_kind = NormKind::layer;
    names.norm = "model.final_layernorm";
    parallel = true, block.norm2 = "";
    head_norm = config.flag("qk_layernorm");
    attention_names = {.o = "dense", .q_norm = "q_layernorm", .k_norm = "k_layernorm"};
    mlp_names = {.gate = "", .up = "fc1", .down = "fc2"};
    qkv_bias = out_bias = mlp_bias = head_bias = true;
  }
};

struct Phi3Shape : TransformerShape {
  Phi3Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) {
    fused = Fused::stacked;
    mlp_names = {.both = "gate_up_proj"};
    qkv_bias = out_bias = mlp_bias = false;
  }
};

struct PhiMoeShape : SparseShape {
  PhiMoeShape(const Config& config, const Scope& scope) : SparseShape(config, scope) {
    norm_kind = NormKind::layer;
    head_bias = config.flag("lm_head_bias");
    block.mlp = "block_sparse_moe";
    experts.names = {"w1", "w3", "w2"};
    experts.score = Moe::Shape::Score::sparse_mixer;
    experts.jitter = static_cast<float>(config.real("router_jitter_noise"));
  }
};

}  // namespace

std::unique_ptr<Model> build_phimoe(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<PhiMoeShape, SparseBlock<Attention>>>(config, scope);
}
std::unique_ptr<Model> build_phi(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<PhiShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_phi3(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Phi3Shape, Block>>(config, scope);
}

}  // namespace madang
