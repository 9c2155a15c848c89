// What models of two kinds of layers share: attention in some, a mixer with a state of fixed size in the others.
#pragma once
#include "models/decoder.h"

namespace madang {

/// Looks along the sequence, one way or the other.
template <class Mixer>
struct Hybrid {
  std::optional<Attention> attn;
  std::optional<Mixer> mixer;

  Tensor operator()(Ctx& c, Tensor x, const Positions& positions, const Step& step, int layer) const {
    return attn ? (*attn)(c, x, positions.of(layer), step, layer) : (*mixer)(c, x, step, layer);
  }
  StateSpec state() const { return attn ? attn->state() : mixer->state(); }
};

/// Mamba-2's sizes under the names that store/config_mamba2.cpp gives them.
inline Mamba2::Shape mamba2_shape(const Config& c, int64_t width, float eps) {
  Mamba2::Shape s{.width = width,
                  .heads = c.integer("mamba_n_heads"),
                  .head_dim = c.integer("mamba_d_head"),
                  .groups = c.integer("mamba_n_groups"),
                  .states = c.integer("mamba_d_state"),
                  .conv = c.integer("mamba_d_conv"),
                  .conv_bias = c.flag("mamba_conv_bias"),
                  .bias = c.flag("mamba_proj_bias", false),
                  .act = act_of(c, c.has("mamba_hidden_act") ? "mamba_hidden_act" : "hidden_act"),
                  .eps = eps,
                  .least = static_cast<float>(c.real("time_step_least", 0.0))};
  if (c.has("time_step_most")) s.most = static_cast<float>(c.real("time_step_most"));
  return s;
}

}  // namespace madang
