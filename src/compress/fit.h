// Finding scales: for values x with weights w, the scale s (and minimum m) and the codes c that make
//
//     sum over i of  w[i] (x[i] - (s c[i] - m))^2
//
// small. For given codes the best s and m follow in closed form (least squares); for given s and m the best codes are
// the nearest ones. So: many starts, a few rounds of both, the best of all. No search is exhaustive; tests hold the
// results against other quantizers' blocks.
// Every sum runs over eight lanes in a fixed order, so the same values give the same bytes on every machine.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

namespace madang {

/// The values of one group; 8 divides n, n <= 256.
struct Group {
  const float* x;
  const float* w;
  int n;
};

/// To the nearest whole number, ties to even, for |v| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction.
inline float nearest_whole(float v) { return (v + 12582912.0f) - 12582912.0f; }

/// Codes that are whole numbers in a range.
struct Whole {
  float low, high;
  float operator()(float t) const { return nearest_whole(t < low ? low : t > high ? high : t); }
  float largest() const { return std::fmax(-low, high); }
};

/// Codes from a rising table of levels.
struct Level {
  const int8_t* levels;
  int count;
  float operator()(float t) const {
    int at = 0;
    // Which halves between neighbours lie below t; a plain sum, for the compiler's vectors.
    for (int i = 0; i + 1 < count; ++i) at += t > 0.5f * static_cast<float>(levels[i] + levels[i + 1]);
    return levels[at];
  }
  float largest() const { return std::fmax(-static_cast<float>(levels[0]), levels[count - 1]); }
};

/// Sums over the group of w c c, w x c and w c, in eight lanes.
struct CodeSums {
  float cc = 0, xc = 0, c = 0;
};

template <class Codes>
CodeSums code_sums(const Group& g, const Codes& code, float inverse, float shift) {
  float cc[8] = {}, xc[8] = {}, c1[8] = {};
  for (int i = 0; i < g.n; i += 8)
    for (int j = 0; j < 8; ++j) {
      const float c = code((g.x[i + j] + shift) * inverse), wc = g.w[i + j] * c;
      cc[j] += wc * c, xc[j] += wc * g.x[i + j], c1[j] += wc;
    }
  auto sum = [](const float* v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); };
  return {sum(cc), sum(xc), sum(c1)};
}

/// sum of w (x - (scale c - minimum))^2 with the nearest codes.
template <class Codes>
float fit_error(const Group& g, const Codes& code, float scale, float minimum = 0) {
  const float inverse = scale == 0 ? 0 : 1 / scale;
  float sum[8] = {};
  for (int i = 0; i < g.n; i += 8)
    for (int j = 0; j < 8; ++j) {
      const float e = g.x[i + j] - (scale * code((g.x[i + j] + minimum) * inverse) - minimum);
      sum[j] += g.w[i + j] * e * e;
    }
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

inline float largest_value(const Group& g) {
  float most = 0;
  for (int i = 0; i < g.n; ++i) most = std::fmax(most, std::fabs(g.x[i]));
  return most;
}

constexpr int starts = 16;

/// The best scale without a minimum; negative where the codes' range is not symmetric and that helps.
template <class Codes>
float fit_scale(const Group& g, const Codes& code, bool both_signs) {
  const float most = largest_value(g);
  if (most == 0 || !std::isfinite(most)) return 0;
  // From "the largest value has fewer codes than there are" to "more": many codes want the outliers inside, with three
  // or four it pays to clip all but the middle.
  const float widest = code.largest() <= 2 ? 10.0f : 1.15f, step = (widest - 0.7f) / (starts - 1);
  float best_scale = 0, best_gain = 0;  // gain: what the codes explain of sum w x x
  for (int sign = 1; sign >= (both_signs ? -1 : 1); sign -= 2)
    for (int start = 0; start < starts; ++start) {
      float scale = static_cast<float>(sign) * most / (code.largest() * (widest - step * static_cast<float>(start)));
      for (int round = 0; round < 3; ++round) {
        const CodeSums s = code_sums(g, code, 1 / scale, 0);
        if (!(s.cc > 0)) break;
        const float gain = s.xc * s.xc / s.cc, next = s.xc / s.cc;
        if (gain > best_gain) best_gain = gain, best_scale = next;
        if (next == scale || next == 0) break;
        scale = next;
      }
    }
  return best_scale;
}

struct Affine {
  float scale = 0, minimum = 0;
};

/// The best scale and minimum for codes 0 to `high`: value = scale c - minimum. `positive`: minimum >= 0.
Affine fit_affine(const Group& g, int high, bool positive);

}  // namespace madang
