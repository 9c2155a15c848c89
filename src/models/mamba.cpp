// Mamba (Gu and Dao 2023): blocks of one norm and one mixer; no attention, no positions, a state of fixed size. Falcon
// Mamba (Zuo et al. 2024): the same with norms on what selects.
#include "models/decoder.h"
#include "models/models.h"

namespace madang {
namespace {

struct MambaShape : TrunkShape {
  madang::Mamba::Shape mixer;

  struct NoPositions {};
  NoPositions positions(Ctx&, const Step&) const { return {}; }

  MambaShape(const Config& c, const Scope&)
      : TrunkShape(c, "layer_norm_epsilon"),
        mixer{.width = width,
              .inner = c.integer("intermediate_size"),
              .states = c.integer("state_size"),
              .conv = c.integer("conv_kernel"),
              .dt_rank = c.integer("time_step_rank"),
              .conv_bias = c.flag("use_conv_bias"),
              .bias = c.flag("use_bias"),
              .act = act_of(c, "hidden_act")} {
    names = {"backbone.embeddings", "backbone.layers", "backbone.norm_f"};
  }
};

struct FalconMambaShape : MambaShape {
  FalconMambaShape(const Config& c, const Scope& scope) : MambaShape(c, scope) {
    mixer.inner_norm = madang::Mamba::Shape::Inner::bare;
    mixer.inner_eps = static_cast<float>(c.real("mixer_rms_eps"));
  }
};

struct Block {
  RmsNorm norm;
  madang::Mamba mixer;

  Block(const MambaShape& m, const Config&, const Scope& scope, int)
      : norm(scope / "norm", m.width, m.eps), mixer(scope / "mixer", m.mixer) {}

  Tensor operator()(Ctx& c, Tensor x, MambaShape::NoPositions, const Step& step, int layer) const {
    return add(c, x, mixer(c, norm(c, x), step, layer));  // [T, D]
  }
  StateSpec state() const { return mixer.state(); }
};

}  // namespace

std::unique_ptr<Model> build_mamba(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<MambaShape, Block>>(config, scope);
}
std::unique_ptr<Model> build_falcon_mamba(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<FalconMambaShape, Block>>(config, scope);
}

}  // namespace madang
