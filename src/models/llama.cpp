// Llama (Touvron et al. 2023; Grattafiori et al. 2024): pre-norm blocks of rotary attention and SwiGLU. Mistral
// (Jiang et al. 2023) is the same with a window, Qwen 2 (Yang et al. 2024) with biases on q, k and v, Qwen 3 (2025)
// with norms on the heads of q and k, SmolLM 3 (2025) with layers that have no positions; EXAONE 3 (LG AI
// Research 2024) is the same under other names. The trunk around the blocks
// (embed, blocks, norm, head) is Decoder in decoder.h, the block Block in block.h.
#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

struct Qwen2Shape : TransformerShape {
  Qwen2Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) {
    qkv_bias = true, out_bias = false;
  }
};

struct Qwen3Shape : TransformerShape {
  Qwen3Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) { head_norm = true; }
};

struct ExaoneShape : TransformerShape {
  ExaoneShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_epsilon") {}
};

struct SmolLm3Shape : TransformerShape {
  SmolLm3Shape(const Config& config, const Scope& scope) : TransformerShape(config, scope) {
    rotates = config.integers("no_rope_layers");  // in spite of its name, 1 where a layer rotates
    const int64_t interval = config.integer("no_rope_layer_interval", 4);
    for (int i = static_cast<int>(rotates.size()); i < layers; ++i) rotates.push_back((i + 1) % interval != 0);
  }
};

}  // namespace

std::unique_ptr<Model> build_llama(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<TransformerShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_qwen2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Qwen2Shape, Block>>(config, scope);
}
std::unique_ptr<Model> build_qwen3(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Qwen3Shape, Block>>(config, scope);
}
std::unique_ptr<Model> build_exaone(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<ExaoneShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_smollm3(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<SmolLm3Shape, Block>>(config, scope);
}

}  // namespace madang
