// A sparse mixture of experts (Shazeer et al. 2017; Jiang et al. 2024): tokens gathered per expert, answers added in
// expert order.
#include "base/error.h"
#include "nn/layers.h"

namespace madang {

Moe::Moe(const Scope& scope, const Shape& s) : shape_(s), router_(scope / s.router, s.width, s.experts) {
  if (s.chosen < 1 || s.chosen > s.experts)
    throw Error(Kind::format, say("a token cannot be sent to {} experts", s.chosen))
        .at(scope.path())
        .expected(fmt::format("1 .. {}", s.experts));
  for (int e = 0; e < s.experts; ++e)
    experts_.emplace_back(scope / "experts" / e, s.width, s.hidden, s.act, false, s.names);
}

Tensor Moe::operator()(Ctx& c, Tensor x) const {
  const int64_t T = x.rows();
  Routed routed = top_k(c, softmax(c, router_(c, x)), shape_.chosen, shape_.renormalize);  // [T, k]
  std::vector<ExpertRows> answers;
  for (int e = 0; e < shape_.experts; ++e) {
    auto* token = c.arena.take_array<int32_t>(T);
    auto* slot = c.arena.take_array<int32_t>(T);
    size_t n = 0;
    for (int64_t i = 0; i < T * shape_.chosen; ++i)
      if (routed.ids[static_cast<size_t>(i)] == e)
        token[n] = static_cast<int32_t>(i / shape_.chosen), slot[n++] = static_cast<int32_t>(i % shape_.chosen);
    if (n == 0) continue;
    Tensor mine = rows(c, x, {token, n});  // [n, D]
    answers.push_back({experts_[static_cast<size_t>(e)](c, mine), {token, n}, {slot, n}});
  }
  return combine(c, answers, routed, T, shape_.width);  // [T, D]
}

}  // namespace madang
