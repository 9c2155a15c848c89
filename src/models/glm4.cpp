// GLM-4 (Zhipu 2025): norms before and after each sublayer, rotation of neighbours in half of each head, fused gate and
// up.
#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

struct Glm4Shape : TransformerShape {
  Glm4Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) {
    block.norm1_after = "post_self_attn_layernorm", block.norm2_after = "post_mlp_layernorm";
    paired = true, out_bias = false;
    mlp_names = {.both = "gate_up_proj"};
  }
};

}  // namespace

std::unique_ptr<Model> build_glm4(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Glm4Shape, Block>>(config, scope);
}

}  // namespace madang
