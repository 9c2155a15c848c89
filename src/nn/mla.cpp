// Multi-head latent attention (DeepSeek-V2, 2024), absorbed: q . (K c) is (K^T q) . c, so the latent c stands for the
// keys and values of all heads, in inference and in training alike.
#include "nn/layers.h"

namespace madang {
namespace {

constexpr float latent_eps = 1e-6f;  // of the inner norms, whatever the configuration says of the others

}  // namespace

Mla::Mla(const Scope& scope, const Shape& s)
    : shape_(s),
      kv_a_(scope / "kv_a_proj_with_mqa", s.width, s.kv_rank + s.rotary, s.bias),
      o_(scope / "o_proj", s.heads * s.value, s.width, s.bias),
      kv_norm_(scope / "kv_a_layernorm", s.kv_rank, latent_eps) {
  const int64_t q_width = static_cast<int64_t>(s.heads) * (s.nope + s.rotary);
  if (s.q_rank > 0) {
    q_a_ = Linear(scope / "q_a_proj", s.width, s.q_rank, s.bias);
    q_norm_ = RmsNorm(scope / "q_a_layernorm", s.q_rank, latent_eps);
    q_b_ = Linear(scope / "q_b_proj", s.q_rank, q_width);
  } else {
    q_ = Linear(scope / "q_proj", s.width, q_width);
  }
  for (int h = 0; h < s.heads; ++h) {
    k_b_.emplace_back(scope / "k_b_proj" / h, s.nope, s.kv_rank);
    v_b_.emplace_back(scope / "v_b_proj" / h, s.kv_rank, s.value);
  }
}

Tensor Mla::rotated(Ctx& c, Tensor x, const Angles& angles) const {
  if (shape_.paired) x = unpaired(c, x, shape_.rotary);
  return rope(c, x, angles.cos, angles.sin);
}

// Each head's query against latents and the rotated key: [T, heads, rank + rotary].
Tensor Mla::queries(Ctx& c, Tensor x, const Angles& angles) const {
  const int64_t T = x.rows(), head = shape_.nope + shape_.rotary;
  Tensor q = shape_.q_rank > 0 ? q_b_(c, q_norm_(c, q_a_(c, x))) : q_(c, x);  // [T, heads * head]
  std::vector<Tensor> parts;
  for (int h = 0; h < shape_.heads; ++h) {
    parts.push_back(k_b_[static_cast<size_t>(h)](c, columns(c, q, h * head, shape_.nope)));
    Tensor turned = columns(c, q, h * head + shape_.nope, shape_.rotary).reshape({T, 1, shape_.rotary});
    parts.push_back(rotated(c, turned, angles).reshape({T, shape_.rotary}));
  }
  return beside(c, parts).reshape({T, shape_.heads, shape_.kv_rank + shape_.rotary});
}

Tensor Mla::operator()(Ctx& c, Tensor x, const Angles* angles, const Step& step, int layer) const {
  const int64_t T = x.rows(), rank = shape_.kv_rank, rotary = shape_.rotary;
  Tensor both = kv_a_(c, x);  // [T, rank + rotary]
  Tensor latent = kv_norm_(c, columns(c, both, 0, rank));
  Tensor turned = rotated(c, columns(c, both, rank, rotary).reshape({T, 1, rotary}), *angles);
  const Tensor parts[] = {latent, turned.reshape({T, rotary})};
  Tensor key = beside(c, parts), q = queries(c, x, *angles);
  const AttentionShape op{.heads = shape_.heads,
                          .kv_heads = 1,
                          .key_dim = static_cast<int>(rank + rotary),
                          .value_dim = static_cast<int>(rank),
                          .scale = shape_.scale};
  std::vector<AttendSegment> segments;
  Tensor heard;  // [T, heads * rank]
  if (!step.segments.empty() && step.segments.front().state) {
    for (const Segment& s : step.segments) {
      auto& memory = static_cast<KvState&>(*s.state->layers[static_cast<size_t>(layer)]);
      memory.append(c.kernels, key.row(s.offset), nullptr, s.length);
      segments.push_back({s.offset, s.length, s.start, memory.pages()});
    }
    heard = attention(c, q, segments, op);
  } else {
    for (const Segment& s : step.segments) segments.push_back({s.offset, s.length, 0, {}});
    heard = attention(c, q, key.reshape({T, 1, rank + rotary}), latent.reshape({T, 1, rank}), segments, op);
  }
  std::vector<Tensor> values;
  for (int h = 0; h < shape_.heads; ++h)
    values.push_back(v_b_[static_cast<size_t>(h)](c, columns(c, heard, h * rank, rank)));
  return o_(c, beside(c, values));  // [T, D]
}

StateSpec Mla::state() const {
  return {.kind = StateKind::latent, .kv_heads = 1, .key_dim = shape_.kv_rank + shape_.rotary};
}

}  // namespace madang
