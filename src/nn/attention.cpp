// Attention (Vaswani et al. 2017; grouped queries, Ainslie et al. 2023) over stored keys and values, or, in training,
// over those of this very forward.
#include <cmath>

#include "nn/layers.h"

namespace madang {

Attention::Attention(const Scope& scope, const Shape& s)
    : shape_(s),
      op_{s.heads,
          s.kv_heads,
          s.head_dim,
          s.head_dim,
          s.scale != 0 ? s.scale : 1.0f / std::sqrt(static_cast<float>(s.head_dim)),
          s.softcap,
          s.window},
      q_(scope / "q_proj", s.width, s.heads * s.head_dim, s.qkv_bias),
      k_(scope / "k_proj", s.width, s.kv_heads * s.head_dim, s.qkv_bias),
      v_(scope / "v_proj", s.width, s.kv_heads * s.head_dim, s.qkv_bias),
      o_(scope / "o_proj", s.heads * s.head_dim, s.width, s.out_bias) {
  if (!s.head_norm && !s.wide_norm) return;
  q_norm_.emplace(scope / "q_norm", s.head_norm ? s.head_dim : s.heads * s.head_dim, s.norm_eps, s.norm_offset);
  k_norm_.emplace(scope / "k_norm", s.head_norm ? s.head_dim : s.kv_heads * s.head_dim, s.norm_eps, s.norm_offset);
}

Tensor Attention::operator()(Ctx& c, Tensor x, const Angles* angles, const Step& step, int layer) const {
  const int64_t T = x.rows(), dim = shape_.head_dim;
  Tensor q = q_(c, x), k = k_(c, x);
  if (shape_.wide_norm) q = (*q_norm_)(c, q), k = (*k_norm_)(c, k);
  q = q.reshape({T, shape_.heads, dim}), k = k.reshape({T, shape_.kv_heads, dim});
  Tensor v = v_(c, x).reshape({T, shape_.kv_heads, dim});
  if (shape_.head_norm) q = (*q_norm_)(c, q), k = (*k_norm_)(c, k);
  if (angles) q = rope(c, q, angles->cos, angles->sin), k = rope(c, k, angles->cos, angles->sin);
  if (!step.segments.empty() && step.segments.front().state) return o_(c, with_state(c, q, k, v, step, layer));
  std::vector<AttendSegment> segments;
  for (const Segment& s : step.segments) segments.push_back({s.offset, s.length, 0, {}});
  return o_(c, attention(c, q, k, v, segments, op_));  // [T, D]
}

Tensor Attention::with_state(Ctx& c, Tensor q, Tensor k, Tensor v, const Step& step, int layer) const {
  std::vector<AttendSegment> segments;
  const int64_t width = shape_.kv_heads * shape_.head_dim;
  auto memory = [&](const Segment& s) -> KvState& {
    return static_cast<KvState&>(*s.state->layers[static_cast<size_t>(layer)]);
  };
  for (const Segment& s : step.segments) {
    memory(s).append(c.kernels, k.f32() + s.offset * width, v.f32() + s.offset * width, s.length);
    segments.push_back({s.offset, s.length, s.start, memory(s).pages()});
  }
  Tensor out = attention(c, q, segments, op_);
  for (const Segment& s : step.segments) memory(s).forget_before(s.start + s.length);
  return out;
}

StateSpec Attention::state() const {
  return {.kind = shape_.window > 0 ? StateKind::rolling : StateKind::paged,
          .kv_heads = shape_.kv_heads,
          .key_dim = shape_.head_dim,
          .value_dim = shape_.head_dim,
          .window = shape_.window};
}

}  // namespace madang
