#include "compress/fit.h"

#include <algorithm>

namespace madang {
namespace {

// For given codes, the least squares solution of x = s c - m, from sums over the group.
struct Normal {
  float w = 0, x = 0;  // sums of w and w x

  explicit Normal(const Group& g) {
    for (int i = 0; i < g.n; ++i) w += g.w[i], x += g.w[i] * g.x[i];
  }
  Affine solve(const CodeSums& s, bool positive) const {
    const float determinant = w * s.cc - s.c * s.c;
    Affine a;
    if (determinant > 1e-12f * w * s.cc) {
      a.scale = (w * s.xc - x * s.c) / determinant;
      a.minimum = (s.c * s.xc - s.cc * x) / determinant;
    }
    if (determinant <= 1e-12f * w * s.cc || (positive && a.minimum < 0)) {
      a.minimum = positive || w == 0 ? 0 : -x / w;
      a.scale = positive && s.cc > 0 ? s.xc / s.cc : 0;
    }
    return a;
  }
};

}  // namespace

Affine fit_affine(const Group& g, int high, bool positive) {
  const auto [low_at, high_at] = std::minmax_element(g.x, g.x + g.n);
  float low = *low_at, top = *high_at;
  if (!std::isfinite(low) || !std::isfinite(top)) return {};
  if (positive) low = std::min(low, 0.0f);
  if (top <= low) return {0, -low};
  const Whole code{0, static_cast<float>(high)};
  const Normal normal(g);
  Affine best{(top - low) / static_cast<float>(high), -low};
  float least = fit_error(g, code, best.scale, best.minimum);
  // Both ends of the range are drawn in, in steps of a fraction of it: few codes gain more from it than many.
  const float step = (top - low) * (high <= 3 ? 0.06f : high <= 15 ? 0.025f : 0.015f);
  for (int a = 0; a < 6; ++a)
    for (int b = 0; b < 6; ++b) {
      const float from = low + step * static_cast<float>(a), to = top - step * static_cast<float>(b);
      if (to <= from) continue;
      Affine at{(to - from) / static_cast<float>(high), positive ? std::max(-from, 0.0f) : -from};
      for (int round = 0; round < 2; ++round) {
        at = normal.solve(code_sums(g, code, at.scale == 0 ? 0 : 1 / at.scale, at.minimum), positive);
        if (!(at.scale > 0)) break;
        const float error = fit_error(g, code, at.scale, at.minimum);
        if (error < least) least = error, best = at;
      }
    }
  return best;
}

}  // namespace madang
