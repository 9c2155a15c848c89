// Rotary angles: how many pairs there are, and how fast each turns.
#include <cmath>

#include "nn/layers.h"
#include "ops/gradients.h"

namespace madang {
namespace {

// cos and sin of one token at `position`.
std::vector<std::pair<float, float>> turned(const RopeParameters& p, int64_t head_dim, int64_t position) {
  test::Bench bench;
  Step step;
  step.ids = {0};
  step.segments = {{.offset = 0, .length = 1, .start = position, .limit = position + 1}};
  const Angles angles = Rope(p, head_dim, 2048)(bench.c, step);
  std::vector<std::pair<float, float>> all;
  for (int64_t i = 0; i < angles.cos.cols(); ++i) all.emplace_back(angles.cos.row(0)[i], angles.sin.row(0)[i]);
  return all;
}

// Of a head of 14 half is rotated, 7 numbers: frequencies theta^(-2i/7) for i below 7/2, the last one too, so that 8
// numbers turn (transformers: arange(0, dim, 2) / dim, both halves). A whole odd head has no pair for its last number.
TEST(Rope, AnOddPartOfAHeadTurnsAPairMore) {
  const std::pair<double, size_t> parts[] = {{0.5, 4}, {1.0, 7}, {0.3, 2}};  // 7, 14 and 4 of 14
  for (const auto& [part, pairs] : parts) {
    const RopeParameters p{.partial_rotary_factor = part};
    const auto angles = turned(p, 14, 3);
    ASSERT_EQ(angles.size(), pairs) << part;
    for (size_t i = 0; i < pairs; ++i) {
      const double angle = 3 * std::pow(p.theta, -2.0 * static_cast<double>(i) / std::floor(14 * part));
      EXPECT_NEAR(angles[i].first, std::cos(angle), 1e-6) << part << " pair " << i;
      EXPECT_NEAR(angles[i].second, std::sin(angle), 1e-6) << part << " pair " << i;
    }
  }
  EXPECT_EQ(turned({}, 7, 3).size(), 3u);
}

}  // namespace
}  // namespace madang
