// Attention (Vaswani et al. 2017; grouped queries, Ainslie et al. 2023) over stored keys and values, or, in training,
// over those of this very forward.
#include <cmath>

#include "nn/layers.h"

namespace madang {

Attention::Attention(const Scope& scope, const Shape& s) : shape_(s) {
  if (!s.names.o.empty())
    o_ = Linear(scope / s.names.o, s.heads * s.head_dim, s.out_width ? s.out_width : s.width, s.out_bias);
  const int64_t q_width = s.heads * s.head_dim, kv_width = s.kv_heads * s.head_dim;
  if (s.fused == Fused::none) {
    q_ = Linear(scope / s.names.q, s.width, q_width, s.qkv_bias);
    k_ = Linear(scope / s.names.k, s.width, kv_width, s.qkv_bias);
    v_ = Linear(scope / s.names.v, s.width, kv_width, s.qkv_bias);
  } else {
    qkv_ = Linear(scope / s.names.qkv, s.width, q_width + 2 * kv_width, s.qkv_bias);
  }
  if (s.head_norm)
    q_norm_ = head_norm(scope / s.names.q_norm, s.heads), k_norm_ = head_norm(scope / s.names.k_norm, s.kv_heads);
  if (s.wide_norm) {
    q_norm_ = RmsNorm(scope / s.names.q_norm, q_width, s.norm_eps, s.norm_offset);
    k_norm_ = RmsNorm(scope / s.names.k_norm, kv_width, s.norm_eps, s.norm_offset);
  }
  if (s.sinks) sinks_ = scope.vector("sinks", s.heads);
}

Norm Attention::head_norm(const Scope& scope, int heads) const {
  const Shape& s = shape_;
  if (s.norm == NormKind::rms) return RmsNorm(scope, s.head_dim, s.norm_eps, s.norm_offset);
  return LayerNorm(scope, s.head_dim, s.norm_eps, s.norm == NormKind::layer, s.norm_each_head ? heads : 1);
}

Attention::Heads Attention::project(Ctx& c, Tensor x) const {
  if (shape_.fused == Fused::none) {
    const auto [q, k, v] = together(c, x, q_, k_, v_);
    return {q, k, v};
  }
  Tensor all = qkv_(c, x);  // [T, q and k and v]
  int64_t q = shape_.heads * shape_.head_dim, kv = shape_.kv_heads * shape_.head_dim;
  if (shape_.fused == Fused::grouped) {
    all = all.reshape({x.rows() * shape_.kv_heads, (q + 2 * kv) / shape_.kv_heads});
    q /= shape_.kv_heads, kv = shape_.head_dim;
  }
  return {columns(c, all, 0, q), columns(c, all, q, kv), columns(c, all, q + kv, kv)};
}

Tensor Attention::attend(Ctx& c, Heads heads, const Angles* angles, const Step& step, int layer) const {
  const int64_t T = step.tokens(), dim = shape_.head_dim;
  auto [q, k, v] = heads;
  if (shape_.wide_norm) q = (*q_norm_)(c, q), k = (*k_norm_)(c, k);
  q = q.reshape({T, shape_.heads, dim}), k = k.reshape({T, shape_.kv_heads, dim});
  v = v.reshape({T, shape_.kv_heads, dim});
  if (shape_.head_norm) q = (*q_norm_)(c, q), k = (*k_norm_)(c, k);
  if (angles && angles->cos) {
    const int64_t rotary = 2 * angles->cos.cols();
    if (shape_.paired) q = unpaired(c, q, rotary), k = unpaired(c, k, rotary);
    q = rope(c, q, angles->cos, angles->sin), k = rope(c, k, angles->cos, angles->sin);
    if (shape_.bare_norm) q = rms_norm(c, q, {}, shape_.norm_eps), k = rms_norm(c, k, {}, shape_.norm_eps);
  }
  if (angles && angles->sizes)
    q = scale_rows(c, q.reshape({T, shape_.heads * dim}), angles->sizes).reshape({T, shape_.heads, dim});
  const float scale = shape_.scale != 0 ? shape_.scale : 1.0f / std::sqrt(static_cast<float>(dim));
  const AttentionShape op{shape_.heads,    shape_.kv_heads, shape_.head_dim,
                          shape_.head_dim, scale,           shape_.softcap,
                          shape_.window,   shape_.chunk,    angles ? angles->bias : Tensor(),
                          sinks_,          shape_.blocks};
  if (!step.segments.empty() && step.segments.front().state)
    return answer(c, with_state(c, {q, k, v}, op, step, layer));
  std::vector<AttendSegment> segments;
  for (const Segment& s : step.segments) segments.push_back({s.offset, s.length, 0, {}});
  return answer(c, attention(c, q, k, v, segments, op));  // [T, D]
}

Tensor Attention::with_state(Ctx& c, const Heads& h, const AttentionShape& op, const Step& step, int layer) const {
  std::vector<AttendSegment> segments;
  const int64_t width = shape_.kv_heads * shape_.head_dim;
  auto memory = [&](const Segment& s) -> KvState& {
    return static_cast<KvState&>(*s.state->layers[static_cast<size_t>(layer)]);
  };
  for (const Segment& s : step.segments) {
    memory(s).append(c.kernels, h.k.f32() + s.offset * width, h.v.f32() + s.offset * width, s.length);
    segments.push_back({s.offset, s.length, s.start, memory(s).pages()});
  }
  Tensor out = attention(c, h.q, segments, op);
  for (const Segment& s : step.segments) memory(s).forget_before(std::min(s.start + s.length, s.state->tentative));
  return out;
}

StateSpec Attention::state() const {
  const int64_t window = shape_.chunk > 0 ? shape_.chunk : shape_.window;
  return {.kind = window > 0 ? StateKind::rolling : StateKind::paged,
          .kv_heads = shape_.kv_heads,
          .key_dim = shape_.head_dim,
          .value_dim = shape_.head_dim,
          .window = window};
}

}  // namespace madang
