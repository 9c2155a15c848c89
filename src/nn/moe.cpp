// A sparse mixture of experts (Shazeer et al. 2017; Jiang et al. 2024): tokens gathered per expert, answers added in
// expert order.
#include <algorithm>

#include "base/error.h"
#include "nn/layers.h"

namespace madang {

Moe::Moe(const Scope& scope, const Shape& s) : shape_(s), router_(scope / s.router, s.width, s.experts, s.router_bias) {
  if (s.groups < 1 || s.experts % s.groups != 0 || s.groups_kept < 1 || s.groups_kept > s.groups)
    throw Error(Kind::format, say("{} experts do not make {} groups", s.experts, s.groups)).at(scope.path());
  // More than the groups hold: DeepSeek V3 goes on with experts of other groups, V2 with nothing.
  const int within = s.judges > 1 ? s.experts : s.experts / s.groups * s.groups_kept;
  if (s.chosen < 1 || s.chosen > within)
    throw Error(Kind::format, say("a token cannot be sent to {} experts", s.chosen))
        .at(scope.path())
        .expected(fmt::format("1 .. {}", within));
  if (s.score == Shape::Score::sparse_mixer && (s.chosen != 2 || s.experts < 2))
    throw Error(Kind::unsupported, say("SparseMixer chooses two experts")).at(scope.path());
  if (s.correction) correction_ = (scope / s.router).vector("e_score_correction_bias", s.experts);
  if (s.latent > 0) {
    to_latent_ = Linear(scope / "fc1_latent_proj", s.width, s.latent, s.latent_bias);
    from_latent_ = Linear(scope / "fc2_latent_proj", s.latent, s.width, s.latent_bias);
  }
  const int64_t heard = s.latent > 0 ? s.latent : s.width;
  for (int e = 0; e < s.experts; ++e) {
    experts_.emplace_back(scope / "experts" / e, heard, s.hidden, s.act, s.bias, s.names);
    if (s.limit > 0) experts_.back().clamp(s.alpha, s.limit);
  }
}

Routed Moe::route(Ctx& c, Tensor x) const {
  Tensor logits = router_(c, x);  // [T, experts]
  if (shape_.score == Shape::Score::sparse_mixer) return madang::sparse_mixer(c, logits, shape_.jitter);
  Tensor scores = shape_.score == Shape::Score::softmax ? madang::softmax(c, logits) : act(c, Act::sigmoid, logits);
  Routed routed = top_k(c, scores,
                        {.k = shape_.chosen,
                         .renormalize = shape_.renormalize,
                         .bias = correction_,
                         .groups = shape_.groups,
                         .groups_kept = shape_.groups_kept,
                         .judges = shape_.judges});
  if (shape_.weights_scale != 1) routed.weights = scale(c, routed.weights, shape_.weights_scale);
  return routed;
}

Tensor Moe::operator()(Ctx& c, Tensor x) const {
  const int64_t T = x.rows();
  Routed routed = route(c, x);  // [T, k]
  if (shape_.latent > 0) x = to_latent_(c, x);
  std::vector<ExpertRows> answers;
  for (int e = 0; e < shape_.experts; ++e) {
    auto* token = c.arena.take_array<int32_t>(T);
    auto* slot = c.arena.take_array<int32_t>(T);
    auto* place = c.arena.take_array<int32_t>(T);  // token and slot as one number
    size_t n = 0;
    for (int64_t i = 0; i < T * shape_.chosen; ++i)
      if (routed.ids[static_cast<size_t>(i)] == e) {
        token[n] = static_cast<int32_t>(i / shape_.chosen), slot[n] = static_cast<int32_t>(i % shape_.chosen);
        place[n++] = static_cast<int32_t>(i);
      }
    if (n == 0) continue;
    Tensor mine = rows(c, x, {token, n});  // [n, D]
    if (shape_.on_input)
      mine = scale_rows(c, mine, rows(c, routed.weights.reshape({T * shape_.chosen, 1}), {place, n}));
    answers.push_back({experts_[static_cast<size_t>(e)](c, mine), {token, n}, {slot, n}});
  }
  if (shape_.on_input) {
    routed.weights = c.make(routed.weights.shape);
    std::fill_n(routed.weights.f32(), routed.weights.numel(), 1.0f);
  }
  Tensor out = combine(c, answers, routed, T, x.cols());
  return shape_.latent > 0 ? from_latent_(c, out) : out;  // [T, D]
}

}  // namespace madang
