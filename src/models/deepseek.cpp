// DeepSeek-V2 (2024) and V3, R1 (2024, 2025): latent attention; after the first layers many small experts beside shared
// ones. V2 scores experts by softmax, V3 by sigmoid with a bias that counts for the choice only; both may choose among
// the best groups only.
#include <cmath>

#include "base/error.h"
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct DeepSeekShape : SparseShape {
  Mla::Shape latent;

  DeepSeekShape(const Config& config, const Scope& scope) : SparseShape(config, scope) {
    latent.width = width, latent.heads = heads;
    latent.q_rank = config.integer("q_lora_rank", 0), latent.kv_rank = config.integer("kv_lora_rank");
    latent.nope = static_cast<int>(config.integer("qk_nope_head_dim"));
    latent.rotary = static_cast<int>(config.integer("qk_rope_head_dim"));
    latent.value = static_cast<int>(config.integer("v_head_dim"));
    latent.bias = qkv_bias;
    const RopeParameters rope = config.rope();
    const double size =
        rope.type == "default" || rope.mscale_all_dim == 0 ? 1 : yarn_magnitude(rope.factor, rope.mscale_all_dim);
    latent.scale = static_cast<float>(size * size / std::sqrt(latent.nope + latent.rotary));
    experts.hidden = config.integer("moe_intermediate_size");
    experts.weights_scale = static_cast<float>(config.real("routed_scaling_factor"));
    shared_name = "shared_experts", shared_hidden = experts.hidden * config.integer("n_shared_experts", 0);
    first_sparse = config.integer("first_k_dense_replace");
    if (config.integer("moe_layer_freq", 1) != 1)
      throw Error(Kind::unsupported, say("the configuration's {} cannot be", "moe_layer_freq")).expected("1");
  }
  Mla::Shape attending(int) const { return latent; }
};

struct DeepSeekV2Shape : DeepSeekShape {
  DeepSeekV2Shape(const Config& config, const Scope& scope) : DeepSeekShape(config, scope) {
    experts.renormalize = false;  // as transformers has it, whatever norm_topk_prob says
    if (config.text("topk_method", "greedy") == "greedy") return;
    experts.groups = static_cast<int>(config.integer("n_group", 1));
    experts.groups_kept = static_cast<int>(config.integer("topk_group", 1));
  }
};

struct DeepSeekV3Shape : DeepSeekShape {
  DeepSeekV3Shape(const Config& config, const Scope& scope) : DeepSeekShape(config, scope) {
    choose_by_sigmoid(config);
    latent.paired = config.flag("rope_interleave");
    mlp_bias = false;
  }
};

}  // namespace

std::unique_ptr<Model> build_deepseek_v2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<DeepSeekV2Shape, SparseBlock<Mla>>>(config, scope);
}
std::unique_ptr<Model> build_deepseek_v3(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<DeepSeekV3Shape, SparseBlock<Mla>>>(config, scope);
}

}  // namespace madang
