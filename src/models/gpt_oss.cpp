// gpt-oss (OpenAI 2025): attention with sinks, every second layer through a window; experts with a clamped activation,
// weighed by a softmax over the logits of the chosen.
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct GptOssShape : SparseShape {
  GptOssShape(const Config& config, const Scope& scope) : SparseShape(config, scope) {
    experts.renormalize = true;  // softmax over all, divided by the sum of the chosen
    experts.router = "router", experts.router_bias = experts.bias = true;
    experts.alpha = static_cast<float>(config.real("swiglu_alpha"));
    experts.limit = static_cast<float>(config.real("swiglu_limit"));
  }
  Attention::Shape attending(int layer) const {
    Attention::Shape s = attention(layer);
    s.sinks = true;
    return s;
  }
};

}  // namespace

std::unique_ptr<Model> build_gpt_oss(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GptOssShape, SparseBlock<Attention>>>(config, scope);
}

}  // namespace madang
