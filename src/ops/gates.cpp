// Exponential gates and what they normalize (xLSTM). A number for each head and token: done on one thread.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/ops.h"
#include "ops/split.h"

namespace madang {
namespace {

float log_sigmoid(float x) { return std::min(x, 0.0f) - std::log1p(std::exp(-std::abs(x))); }

// `m` holds the maximum before the segment's first token, then one row a token.
void gates_back(const RecurrentSegment& s, Tensor i, Tensor f, const Gates& y, const float* m, const Gates& d,
                float* di, float* df) {
  const int64_t heads = i.cols();
  for (int64_t h = 0; h < heads; ++h) {
    float dm = 0;
    for (int64_t t = s.length - 1; t >= 0; --t) {
      const int64_t at = (s.offset + t) * heads + h;
      const float keep = d.keep.f32()[at] * y.keep.f32()[at], take = d.take.f32()[at] * y.take.f32()[at];
      dm -= keep + take + d.least.f32()[at] * y.least.f32()[at];
      float to_log = keep, before = keep;
      di[at] += take;
      if (log_sigmoid(f.f32()[at]) + m[t * heads + h] >= i.f32()[at])
        to_log += dm, before += dm;
      else
        di[at] += dm;
      df[at] += to_log / (1 + std::exp(f.f32()[at]));
      dm = before;
    }
  }
}

}  // namespace

Gates exponential_gates(Ctx& c, Tensor i, Tensor f, std::span<const RecurrentSegment> segments) {
  const int64_t heads = i.cols();
  Gates y{c.make(i.shape), c.make(i.shape), c.make(i.shape)};
  std::vector<const float*> maxima;
  for (const RecurrentSegment& s : segments) {
    float* m = zeros(c, (s.length + 1) * heads);
    if (s.state) std::copy_n(s.state, heads, m);
    maxima.push_back(m);
    for (int64_t k = 0; k < s.length * heads; ++k) {
      const int64_t at = s.offset * heads + k;
      const float kept = log_sigmoid(f.f32()[at]) + m[k], largest = std::max(kept, i.f32()[at]);
      y.keep.f32()[at] = std::exp(kept - largest), y.take.f32()[at] = std::exp(i.f32()[at] - largest);
      y.least.f32()[at] = std::exp(-largest), m[k + heads] = largest;
    }
    if (s.state) std::copy_n(m + s.length * heads, heads, s.state);
  }
  if (c.tape)
    c.tape->record([c, i, f, y, maxima, segments = std::vector(segments.begin(), segments.end())] {
      auto gradient = [&](const Tensor& x) { return Tensor(c.tape->grad(x), DType::f32, x.shape); };
      const Gates d{gradient(y.keep), gradient(y.take), gradient(y.least)};
      float *di = c.tape->grad(i), *df = c.tape->grad(f);
      for (size_t s = 0; s < segments.size(); ++s) gates_back(segments[s], i, f, y, maxima[s], d, di, df);
    });
  return y;
}

Tensor normalized(Ctx& c, Tensor sums, Tensor least, float eps) {
  const int64_t n = sums.cols() - 1;
  assert(least.numel() == sums.rows());
  Tensor y = c.make({sums.rows(), n});
  auto divisor = [=](int64_t t) { return std::max(std::abs(sums.row(t)[n]), least.f32()[t]) + eps; };
  each_row(c, sums.rows(), n, [&](int64_t t) {
    const float by = divisor(t);
    for (int64_t i = 0; i < n; ++i) y.row(t)[i] = sums.row(t)[i] / by;
  });
  if (c.tape)
    c.tape->record([c, sums, least, y, n, divisor] {
      const float* dy = c.tape->grad(y);
      float *dsums = c.tape->grad(sums), *dleast = c.tape->grad(least);
      for (int64_t t = 0; t < y.rows(); ++t, dy += n, dsums += n + 1) {
        const float by = divisor(t), ones = sums.row(t)[n];
        float to_divisor = 0;
        for (int64_t i = 0; i < n; ++i) dsums[i] += dy[i] / by, to_divisor -= dy[i] * y.row(t)[i] / by;
        if (std::abs(ones) >= least.f32()[t])
          dsums[n] += ones < 0 ? -to_divisor : to_divisor;
        else
          dleast[t] += to_divisor;
      }
    });
  return y;
}

}  // namespace madang
