// Command R and R+ (Cohere 2024): both sublayers in parallel on one LayerNorm without bias, rotation of neighbours,
// scaled logits; R+ has norms on the heads of q and k. Command R7B (2024): windowed layers rotate, the others have no
// positions.
#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

struct CohereShape : TransformerShape {
  CohereShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_eps") {
    norm_kind = NormKind::layer_without_bias;
    parallel = true, block.norm2 = "";
    paired = true;
    head_norm = config.flag("use_qk_norm", false);
    logit_scale = static_cast<float>(config.real("logit_scale"));
    mlp_bias = false;
  }
  Attention::Shape attention(int layer) const override {
    Attention::Shape s = TransformerShape::attention(layer);
    s.norm_each_head = true;
    return s;
  }
};

struct Cohere2Shape : CohereShape {
  Cohere2Shape(const Config& config, const Scope& scope) : CohereShape(config, scope) {
    for (const std::string& kind : kinds) rotates.push_back(kind == "sliding_attention");
  }
};

}  // namespace

std::unique_ptr<Model> build_cohere(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<CohereShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_cohere2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Cohere2Shape, Block>>(config, scope);
}

}  // namespace madang
