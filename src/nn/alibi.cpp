// Attention with linear biases (Press et al. 2022). The bias of a key depends on its absolute position: what that adds
// to all scores of a query alike, softmax takes away.
#include <bit>
#include <cmath>

#include "nn/layers.h"
#include "tensor/half.h"

namespace madang {

// Slopes fall geometrically from 2^(-8 / n) for n heads, n a power of two; further heads take every other slope of
// twice as many.
Alibi::Alibi(int heads, float scale, bool bfloat16) : scale_(scale), bfloat16_(bfloat16) {
  const int whole = static_cast<int>(std::bit_floor(static_cast<unsigned>(heads)));
  auto add = [&](int of, int step, int n) {
    const auto base = static_cast<float>(std::pow(2.0, -8.0 / of));
    for (int i = 0; i < n; ++i) slopes_.push_back(std::pow(base, static_cast<float>(1 + i * step)));
  };
  add(whole, 1, whole);
  add(2 * whole, 2, heads - whole);
}

Angles Alibi::operator()(Ctx& c, const Step& step) const {
  int64_t longest = 0;
  for (const Segment& s : step.segments) longest = std::max(longest, s.start + s.length);
  auto rounded = [&](float x) { return bfloat16_ ? float_of_bf16(bf16_of_float(x)) : x; };
  Tensor bias = c.make({static_cast<int64_t>(slopes_.size()), longest});
  for (int64_t h = 0; h < bias.rows(); ++h)
    for (int64_t j = 0; j < longest; ++j)
      bias.row(h)[j] = rounded(rounded(slopes_[static_cast<size_t>(h)]) * rounded(static_cast<float>(j))) * scale_;
  return {.bias = bias};
}

}  // namespace madang
