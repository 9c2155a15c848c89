// Formats of memory only: what the integer kernels take is the exact value, or the nearest step where a format's
// numbers are no integers.
#include "quant/grouped.h"

#include <cmath>
#include <vector>

#include "base/random.h"
#include "quant/format.h"
#include "support.h"

namespace madang {
namespace {

// How far codes may lie from values, in parts of the group's largest possible value.
double step_of(const Format& f) {
  if (f.gguf_type == grouped::nf4_id) return 0.5 / grouped::nf4_steps;
  if (f.gguf_type == grouped::fp4_id) return 0.5 / grouped::fp4_steps;
  if (f.gguf_type == grouped::fp8_id) return 0.5 / 127 * 448;
  return 0;
}

TEST(Grouped, CodesAreTheValues) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    if (f.in_files()) continue;
    for (int round = 0; round < 50; ++round) {
      std::vector<uint8_t> block(static_cast<size_t>(f.bytes));
      for (auto& b : block) b = static_cast<uint8_t>(random.bits());
      if (f.gguf_type == grouped::int4_f16_id) {
        const uint16_t scale = half_of_float(static_cast<float>(random.normal()));
        std::memcpy(block.data(), &scale, 2);
      } else {
        for (int i = 0; i < 32 / f.group; ++i) {
          const float scale = static_cast<float>(random.normal());
          std::memcpy(block.data() + 4 * i, &scale, 4);
        }
      }
      if (f.gguf_type == grouped::int8_zero_id) block[5] = 0;
      for (int i = 0; f.gguf_type == grouped::fp8_id && i < 32; ++i)
        if ((block[static_cast<size_t>(4 + i)] & 0x7F) == 0x7F) block[static_cast<size_t>(4 + i)] ^= 1;
      int8_t code[32];
      float scale[2], minimum[2] = {}, value[32];
      f.codes(block.data(), code, scale, minimum);
      f.decode(block.data(), 32, value);
      for (int i = 0; i < 32; ++i) {
        const int g = i / f.group;
        // Only rows with a float32 scale in front have steps; of others those bytes are no number.
        const double whole = step_of(f) > 0 ? std::fabs(grouped::float_field(block.data())) : 0;
        const double rounding = 4e-7 * (std::fabs(minimum[g]) + std::fabs(value[i]));
        EXPECT_NEAR(static_cast<double>(scale[g]) * code[i] - minimum[g], value[i],
                    step_of(f) * whole * 1.001 + rounding)
            << f.name << " element " << i;
      }
    }
  }
}

TEST(Grouped, NotANumberStaysNone) {
  std::vector<uint8_t> block(36, 0x38);
  const float scale = 1;
  std::memcpy(block.data(), &scale, 4);
  block[20] = 0x7F;
  int8_t code[32];
  float scales[1], value[32];
  grouped::fp8(block.data(), code, scales, nullptr);
  grouped::decode_fp8(block.data(), value);
  EXPECT_TRUE(std::isnan(scales[0]));
  EXPECT_TRUE(std::isnan(value[16]));
  EXPECT_EQ(value[0], 1.0f);
}

}  // namespace
}  // namespace madang
