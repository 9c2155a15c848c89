// What the RWKV generations share: inputs mixed with the token before, and the channel mixing that follows the time
// mixing of each. Time mixing itself is each model's own.
#pragma once
#include <array>
#include <optional>

#include "nn/layers.h"
#include "nn/memory.h"

namespace madang {

/// value(relu(key x_k)^2), in all but RWKV-7 times sigmoid(receptance x_r), x_k and x_r being mixtures of a token with
/// the one before (Peng et al. 2023, section 3.1).
class ChannelMix {
 public:
  struct Shape {
    int64_t width = 0, hidden = 0;
    std::string_view mix_k = "time_mix_k", mix_r = "time_mix_r";  ///< mix_r empty: no receptance
    bool of_past = false;  ///< shares are the past's (RWKV-6 and 7), not the present's
  };
  ChannelMix(const Scope& scope, const Shape& shape)
      : shape_(shape),
        mix_k_(scope.vector(shape.mix_k, shape.width)),
        key_(scope / "key", shape.width, shape.hidden),
        value_(scope / "value", shape.hidden, shape.width) {
    if (shape.mix_r.empty()) return;
    mix_r_ = scope.vector(shape.mix_r, shape.width);
    receptance_ = Linear(scope / "receptance", shape.width, shape.width);
  }

  /// `past`: keeps one token, [D] floats.
  Tensor operator()(Ctx& c, Tensor x, std::span<const RecurrentSegment> past) const {
    const Tensor before = previous(c, x, past);
    auto mixed = [&](const Buffer& share) {
      return shape_.of_past ? mix(c, before, x, share) : mix(c, x, before, share);
    };
    const Tensor out = value_(c, act(c, Act::relu2, key_(c, mixed(mix_k_))));  // [T, D]
    return mix_r_.view() ? gated(c, Act::sigmoid, receptance_(c, mixed(mix_r_)), out) : out;
  }

 private:
  Shape shape_;
  Buffer mix_k_, mix_r_;
  Linear key_, value_, receptance_;
};

/// up(act(down x)) + a bias: what depends on a token is learned in few numbers.
struct LowRank {
  Linear down, up;
  LowRank() = default;
  LowRank(const Scope& down_scope, const Scope& up_scope, int64_t width, int64_t rank, bool bias = true)
      : down(down_scope, width, rank), up(up_scope, rank, width, bias) {}
};

}  // namespace madang
