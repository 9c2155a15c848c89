// Mamba-2 (Dao and Gu 2024): Mamba's blocks, one norm and one mixer, around a scan whose heads share their decay.
#include "models/hybrid.h"
#include "models/models.h"

namespace madang {
namespace {

struct Mamba2Shape : TrunkShape {
  madang::Mamba2::Shape mixer;

  struct NoPositions {};
  NoPositions positions(Ctx&, const Step&) const { return {}; }

  Mamba2Shape(const Config& c, const Scope&) : TrunkShape(c, "layer_norm_epsilon"), mixer(mamba2_shape(c, width, eps)) {
    names = {"backbone.embeddings", "backbone.layers", "backbone.norm_f"};
  }
};

struct Block {
  RmsNorm norm;
  madang::Mamba2 mixer;

  Block(const Mamba2Shape& m, const Config&, const Scope& scope, int)
      : norm(scope / "norm", m.width, m.eps), mixer(scope / "mixer", m.mixer) {}

  Tensor operator()(Ctx& c, Tensor x, Mamba2Shape::NoPositions, const Step& step, int layer) const {
    return add(c, x, mixer(c, norm(c, x), step, layer));  // [T, D]
  }
  StateSpec state() const { return mixer.state(); }
};

}  // namespace

std::unique_ptr<Model> build_mamba2(const Config& config, const Scope& scope) {
  return std::make_unique<Decoder<Mamba2Shape, Block>>(config, scope);
}

}  // namespace madang
