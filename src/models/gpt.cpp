// GPT-2 (Radford et al. 2019): LayerNorm before each sublayer, learned positions, one matrix for q, k and v. GPT-Neo
// (Black et al. 2021): every second layer looks through a window, and scores are not scaled. GPT-J (Wang and
// Komatsuzaki 2021): both sublayers in parallel on one norm, rotation of neighbours in a part of each head. GPT-NeoX
// (Black et al. 2022; Pythia, Polyglot-Ko): parallel on two norms, or one sublayer after the other.
#include <cmath>

#include "base/error.h"
#include "models/block.h"
#include "models/models.h"

namespace madang {
namespace {

constexpr Mlp::Names fully_connected = {.gate = "", .up = "c_fc", .down = "c_proj"};

struct GptShape : TransformerShape {
  GptShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_epsilon") {
    norm_kind = NormKind::layer;
    names = {"transformer.wte", "transformer.h", "transformer.ln_f", "transformer.wpe"};
    block = {"ln_1", "ln_2", "attn", "mlp"};
    mlp_bias = true;
  }
};

struct Gpt2Shape : GptShape {
  bool scaled, by_layer;
  Gpt2Shape(const Config& config, const Scope& scope)
      : GptShape(config, scope),
        scaled(config.flag("scale_attn_weights")),
        by_layer(config.flag("scale_attn_by_inverse_layer_idx")) {
    if (config.flag("add_cross_attention", false))
      throw Error(Kind::unsupported, say("attention to an encoder is not supported")).at(config.where());
    learned_places = max_positions;
    ropes.clear();
    fused = Fused::stacked, qkv_bias = out_bias = true;
    attention_names.qkv = "c_attn", attention_names.o = "c_proj";
    mlp_names = fully_connected;
  }
  Attention::Shape attention(int layer) const override {
    Attention::Shape s = TransformerShape::attention(layer);
    s.scale = scaled ? 1 / std::sqrt(static_cast<float>(head_dim)) : 1.0f;
    if (by_layer) s.scale /= static_cast<float>(layer + 1);
    return s;
  }
};

struct GptNeoShape : GptShape {
  GptNeoShape(const Config& config, const Scope& scope) : GptShape(config, scope) {
    learned_places = max_positions;
    ropes.clear();
    attention_scale = 1;
    qkv_bias = false, out_bias = true;
    block.attention = "attn.attention", attention_names.o = "out_proj";
    mlp_names = fully_connected;
  }
};

struct GptJShape : GptShape {
  GptJShape(const Config& config, const Scope& scope) : GptShape(config, scope) {
    parallel = true, block.norm2 = "";
    paired = true;
    attention_names.o = "out_proj";
    mlp_names = {.gate = "", .up = "fc_in", .down = "fc_out"};
    head_bias = true;
  }
};

struct GptNeoXShape : TransformerShape {
  GptNeoXShape(const Config& config, const Scope& scope) : TransformerShape(config, scope, "layer_norm_eps") {
    norm_kind = NormKind::layer;
    names = {"gpt_neox.embed_in", "gpt_neox.layers", "gpt_neox.final_layer_norm", ""};
    parallel = config.flag("use_parallel_residual");
    block.attention = "attention";
    fused = config.text("source_format") == "gguf" ? Fused::stacked : Fused::grouped;
    attention_names.qkv = "query_key_value", attention_names.o = "dense";
    mlp_names = {.gate = "", .up = "dense_h_to_4h", .down = "dense_4h_to_h"};
    mlp_bias = true;
  }
};

}  // namespace

std::unique_ptr<Model> build_gpt2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Gpt2Shape, Block>>(config, scope);
}
std::unique_ptr<Model> build_gpt_neo(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GptNeoShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_gptj(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GptJShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_gpt_neox(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<GptNeoXShape, Block>>(config, scope);
}

}  // namespace madang
