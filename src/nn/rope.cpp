// Rotary angles. Frequencies and products are rounded to float32 where the reference rounds them: at position
// 8,192 that rounding is 5e-4 of a turn, far above the tolerance of an exact engine.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "nn/layers.h"

namespace madang {

double yarn_magnitude(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

namespace {

// Yarn (Peng et al. 2023, appendix A.2): the pair whose wavelength fits `rotations` times into `length`.
double yarn_pair(double rotations, double dim, double base, double length) {
  return dim * std::log(length / (rotations * 2 * std::numbers::pi)) / (2 * std::log(base));
}

void scale_yarn(const RopeParameters& p, int64_t dim, double length, std::vector<float>& inverse, float& magnitude) {
  double low = yarn_pair(p.beta_fast, static_cast<double>(dim), p.theta, length);
  double high = yarn_pair(p.beta_slow, static_cast<double>(dim), p.theta, length);
  if (p.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, static_cast<double>(dim - 1));
  if (low == high) high += 0.001;
  for (size_t i = 0; i < inverse.size(); ++i) {
    auto stretched = static_cast<float>(std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0));
    float keep = 1.0f - stretched;
    inverse[i] = inverse[i] / static_cast<float>(p.factor) * (1.0f - keep) + inverse[i] * keep;
  }
  if (p.attention_factor)
    magnitude = static_cast<float>(*p.attention_factor);
  else if (p.mscale != 0 && p.mscale_all_dim != 0)
    magnitude = static_cast<float>(yarn_magnitude(p.factor, p.mscale) / yarn_magnitude(p.factor, p.mscale_all_dim));
  else
    magnitude = static_cast<float>(yarn_magnitude(p.factor, 1));
}

// Llama 3.1: long wavelengths are stretched, short ones kept, those between mixed.
void scale_llama3(const RopeParameters& p, double length, std::vector<float>& inverse) {
  const double longest = length / p.low_freq_factor, shortest = length / p.high_freq_factor;
  for (float& f : inverse) {
    const double wave = 2 * std::numbers::pi / f;
    if (wave > longest) {
      f /= static_cast<float>(p.factor);
    } else if (wave >= shortest) {
      auto smooth = static_cast<float>((length / wave - p.low_freq_factor) / (p.high_freq_factor - p.low_freq_factor));
      f = (1.0f - smooth) * f / static_cast<float>(p.factor) + smooth * f;
    }
  }
}

// An odd part of a head is rotated with a pair more than it has whole ones, as the reference does.
int64_t pairs(const RopeParameters& p, int64_t rotary) {
  return p.partial_rotary_factor < 1 ? (rotary + 1) / 2 : rotary / 2;
}

}  // namespace

Rope::Rope(RopeParameters parameters, int64_t head_dim, int64_t max_positions, std::vector<float> factors)
    : parameters_(std::move(parameters)),
      rotary_(static_cast<int64_t>(static_cast<double>(head_dim) * parameters_.partial_rotary_factor)),
      max_positions_(max_positions),
      factors_(std::move(factors)) {}

void Rope::frequencies(int64_t limit, std::vector<float>& out, float& magnitude) const {
  const RopeParameters& p = parameters_;
  const double trained = p.original_max_position_embeddings > 0
                             ? static_cast<double>(p.original_max_position_embeddings)
                             : static_cast<double>(max_positions_);
  const auto dim = static_cast<double>(rotary_);
  double base = p.theta;
  if (p.type == "dynamic" && static_cast<double>(limit) > trained)  // "NTK-aware", by the length stated
    base *= std::pow(p.factor * static_cast<double>(limit) / trained - (p.factor - 1), dim / (dim - 2));
  out.resize(static_cast<size_t>(pairs(p, rotary_)));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = 1.0f / std::pow(static_cast<float>(base), static_cast<float>(2 * i) / static_cast<float>(rotary_));
  magnitude = 1;
  if (p.type == "linear") {
    for (float& f : out) f /= static_cast<float>(p.factor);
  } else if (p.type == "yarn") {
    scale_yarn(p, rotary_, trained, out, magnitude);
  } else if (p.type == "llama3") {
    scale_llama3(p, trained, out);
  } else if (p.type == "longrope") {
    const auto& stretch = static_cast<double>(limit) > trained ? p.long_factor : p.short_factor;
    for (size_t i = 0; i < out.size() && i < stretch.size(); ++i)
      out[i] = 1.0f / (static_cast<float>(stretch[i]) *
                       std::pow(static_cast<float>(base), static_cast<float>(2 * i) / static_cast<float>(rotary_)));
    const double factor = p.factor != 1 ? p.factor : static_cast<double>(max_positions_) / trained;
    const auto& stated = static_cast<double>(limit) > trained ? p.long_mscale : p.short_mscale;
    magnitude = static_cast<float>(
        stated ? *stated
               : p.attention_factor.value_or(factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(trained))));
  }
  for (size_t i = 0; i < out.size() && i < factors_.size(); ++i) out[i] /= factors_[i];
}

Angles Rope::operator()(Ctx& c, const Step& step) const {
  const int64_t width = pairs(parameters_, rotary_);
  Angles angles{c.make({step.tokens(), width}), c.make({step.tokens(), width})};
  std::vector<float> inverse;
  float magnitude = 1;
  for (const Segment& s : step.segments) {
    frequencies(s.limit, inverse, magnitude);
    for (int64_t t = 0; t < s.length; ++t)
      for (size_t i = 0; i < inverse.size(); ++i) {
        const float angle = inverse[i] * static_cast<float>(s.start + t);
        angles.cos.row(s.offset + t)[i] = static_cast<float>(std::cos(static_cast<double>(angle))) * magnitude;
        angles.sin.row(s.offset + t)[i] = static_cast<float>(std::sin(static_cast<double>(angle))) * magnitude;
      }
  }
  return angles;
}

}  // namespace madang
