// float16, bfloat16 and float8: all 65,536 patterns there and back, and rounding to nearest even.
#include <cmath>
#include <limits>

#include "base/random.h"
#include "support.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

namespace madang {
namespace {

TEST(Half, EveryPatternComesBack) {
  for (uint32_t h = 0; h < 65536; ++h) {
    const float f = float_of_half(static_cast<uint16_t>(h));
    if (std::isnan(f)) {
      EXPECT_TRUE(std::isnan(float_of_half(half_of_float(f))));
    } else {
      EXPECT_EQ(half_of_float(f), h);
    }
    const float b = float_of_bf16(static_cast<uint16_t>(h));
    if (std::isnan(b)) {
      EXPECT_TRUE(std::isnan(float_of_bf16(bf16_of_float(b))));
    } else {
      EXPECT_EQ(bf16_of_float(b), h);
    }
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(float_of_half(0x3C00), 1.0f);
  EXPECT_EQ(float_of_half(0x0001), 0x1p-24f);
  EXPECT_EQ(float_of_half(0x7BFF), 65504.0f);
  EXPECT_EQ(half_of_float(65520.0f), 0x7C00);  // halfway to the next: infinity
  EXPECT_EQ(half_of_float(0x1p-25f), 0);       // halfway to the smallest: to even, zero
  EXPECT_EQ(half_of_float(0x1.8p-25f), 1);
  EXPECT_EQ(float_of_e4m3(0x7E), 448.0f);
  EXPECT_EQ(float_of_e4m3(0x01), 0x1p-9f);
  EXPECT_EQ(float_of_e4m3(0xB8), -1.0f);
}

TEST(Half, RoundsToTheNearest) {
  Random random(test::seed());
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<float>(random.normal() * std::pow(2.0, static_cast<double>(random.between(-26, 13))));
    const uint16_t h = half_of_float(x);
    const float got = float_of_half(h);
    for (int step : {-1, 1}) {
      const float other = float_of_half(static_cast<uint16_t>(h + step));
      if (std::isfinite(other) && std::signbit(other) == std::signbit(x)) {
        ASSERT_LE(std::fabs(got - x), std::fabs(other - x)) << x;
      }
    }
  }
}

TEST(Tensor, ShapesAndViews) {
  Buffer b(DType::f32, {2, 3, 4});
  EXPECT_EQ(b.view().rows(), 6);
  EXPECT_EQ(b.view().cols(), 4);
  EXPECT_EQ(b.view().shape.str(), "[2, 3, 4]");
  Tensor flat = b.view().reshape({6, 4});
  EXPECT_EQ(flat.row(5), b.f32() + 20);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.f32()) % 64, 0u);
}

}  // namespace
}  // namespace madang
