// Solar Open (Upstage 2025): Llama's attention and experts chosen as DeepSeek-V3 chooses. EXAONE MoE (LG AI Research
// 2025): the same over EXAONE 4's attention, norms on the heads, windowed layers that rotate and others without
// positions.
#include "models/models.h"
#include "models/sparse_block.h"

namespace madang {
namespace {

struct SolarOpenShape : SparseShape {
  SolarOpenShape(const Config& config, const Scope& scope) : SparseShape(config, scope) {
    choose_by_sigmoid(config);
    out_bias = false;  // and experts in every layer, whatever first_k_dense_replace says
  }
};

struct ExaoneMoeShape : SparseShape {
  std::vector<bool> with_experts;
  ExaoneMoeShape(const Config& config, const Scope& scope) : SparseShape(config, scope) {
    choose_by_sigmoid(config);
    head_norm = true;
    for (const std::string& kind : kinds) rotates.push_back(window == 0 || kind == "sliding_attention");
    for (const Json& type : config.keys().at("mlp_layer_types")) with_experts.push_back(type == "sparse");
  }
  bool sparse(int layer) const { return with_experts[static_cast<size_t>(layer)]; }
};

}  // namespace

std::unique_ptr<Model> build_solar_open(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<SolarOpenShape, SparseBlock<Attention>>>(config, scope);
}
std::unique_ptr<Model> build_exaone_moe(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<ExaoneMoeShape, SparseBlock<Attention>>>(config, scope);
}

}  // namespace madang
