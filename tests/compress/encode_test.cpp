// Encoders against other quantizers' blocks of the same values, against known errors of ideal quantizers, and against
// themselves: same bytes, exact values that lie on the grid, hostile values.
#include "compress/encode.h"

#include <cmath>
#include <cstring>
#include <random>

#include "base/error.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

std::vector<const Format*> block_formats() {
  std::vector<const Format*> out;
  for (const Format& f : formats())
    if (f.group != 0 && f.in_files()) out.push_back(&f);
  return out;
}

std::vector<float> floats_of(const StoredTensor& t) {
  std::vector<float> out(static_cast<size_t>(t.numel()));
  std::memcpy(out.data(), t.bytes.data(), out.size() * 4);
  return out;
}

std::vector<float> decoded(const Format& f, const std::vector<uint8_t>& blocks, size_t n) {
  std::vector<float> out(n);
  f.decode(blocks.data(), static_cast<int64_t>(n), out.data());
  return out;
}

std::vector<uint8_t> encoded(const Format& f, std::span<const float> values, std::span<const float> importance = {}) {
  std::vector<uint8_t> blocks(static_cast<size_t>(f.row_bytes(static_cast<int64_t>(values.size()))));
  encode(f, values, importance, blocks.data());
  return blocks;
}

double squared_error(std::span<const float> a, std::span<const float> b, std::span<const float> weights = {}) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += e * e * (weights.empty() ? 1.0 : static_cast<double>(weights[i]));
  }
  return sum;
}

// Gaussian weights, some of them outliers.
std::vector<float> weights_like(std::mt19937_64& random, size_t n) {
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> x(n);
  for (float& v : x) v = normal(random) * (random() % 64 == 0 ? 4 : 1);
  return x;
}

TEST(Encode, NotAboveTheReferenceQuantizersError) {
  const std::string shared = test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "needs the reference blocks";
  for (const Format* f : block_formats()) {
    auto source = open_safetensors(shared + "/golden/blocks/" + std::string(f->name) + ".safetensors");
    const auto x = floats_of(*source->find("source")), theirs = floats_of(*source->find("values"));
    std::vector<float> importance;
    if (const StoredTensor* t = source->find("imatrix")) importance = floats_of(*t);
    const auto cols = static_cast<size_t>(source->find("values")->shape[1]);
    double ours_plain = 0, theirs_plain = 0, ours_weighted = 0, theirs_weighted = 0;
    for (size_t row = 0; row < x.size() / cols; ++row) {
      const std::span<const float> values(x.data() + row * cols, cols), reference(theirs.data() + row * cols, cols);
      ours_plain += squared_error(values, decoded(*f, encoded(*f, values), cols));
      theirs_plain += squared_error(values, reference);
      ours_weighted += squared_error(values, decoded(*f, encoded(*f, values, importance), cols), importance);
      theirs_weighted += squared_error(values, reference, importance);
    }
    std::cout << fmt::format("{:8} squared error over the reference's: {:.3f} plain, {:.3f} weighted\n", f->name,
                             ours_plain / theirs_plain, ours_weighted / theirs_weighted);
    EXPECT_LE(std::min(ours_plain / theirs_plain, ours_weighted / theirs_weighted), 1.0) << f->name;
    EXPECT_LE(ours_weighted, theirs_weighted * (importance.empty() ? 1e9 : 1.0)) << f->name;
  }
}

// Signal to noise of unit Gaussian values, in decibel. A b-bit quantizer gains about 6 dB a bit; each bound lies a
// little below what was measured, so that a broken search (a lost bit, a wrong plane) fails.
TEST(Encode, SignalToNoise) {
  const std::pair<const char*, double> least[] = {
      {"Q8_0", 44},    {"Q6_K", 33},   {"Q5_1", 27},   {"Q5_K", 27},    {"Q5_0", 26},     {"Q4_1", 21}, {"Q4_K", 21},
      {"Q4_0", 19},    {"IQ4_NL", 20}, {"IQ4_XS", 20}, {"MXFP4", 17},   {"NVFP4", 19},    {"Q3_K", 14}, {"IQ3_S", 15},
      {"IQ3_XXS", 13}, {"Q2_K", 9.5},  {"IQ2_S", 9.5}, {"IQ2_XS", 8.5}, {"IQ2_XXS", 7.5}, {"TQ1_0", 6}, {"TQ2_0", 6},
      {"Q2_0", 7},     {"IQ1_M", 5.2}, {"IQ1_S", 4.7}, {"Q1_0", 4}};
  std::mt19937_64 random(test::seed());
  std::normal_distribution<float> normal;
  std::vector<float> x(8192);
  for (float& v : x) v = normal(random);
  double power = 0;
  for (float v : x) power += static_cast<double>(v) * static_cast<double>(v);
  for (const auto& [name, bound] : least) {
    const Format& f = *format_by_name(name);
    const double db = 10 * std::log10(power / squared_error(x, decoded(f, encoded(f, x), x.size())));
    EXPECT_GE(db, bound) << name;
  }
}

TEST(Encode, ValuesOnTheGridComeBack) {
  std::mt19937_64 random(test::seed());
  for (const Format* f : block_formats()) {
    const auto x = weights_like(random, 2048);
    const auto once = decoded(*f, encoded(*f, x), x.size());
    const auto twice = decoded(*f, encoded(*f, once), x.size());
    // What was representable must not get (much) worse by being written again.
    EXPECT_LE(squared_error(once, twice), 0.15 * squared_error(x, once) + 1e-12) << f->name;
  }
}

TEST(Encode, ImportanceDrawsTheErrorAway) {
  std::mt19937_64 random(test::seed());
  for (const Format* f : block_formats()) {
    const auto x = weights_like(random, 4096);
    std::vector<float> importance(x.size());
    for (size_t i = 0; i < x.size(); ++i) importance[i] = i % 8 == 0 ? 30.0f : 1.0f;
    const auto plain = decoded(*f, encoded(*f, x), x.size()),
               weighted = decoded(*f, encoded(*f, x, importance), x.size());
    EXPECT_LE(squared_error(x, weighted, importance), squared_error(x, plain, importance) * 1.02) << f->name;
  }
}

TEST(Encode, HostileValues) {
  const float huge = 3e38f, tiny = 1e-42f;
  for (const Format* f : block_formats())
    for (float v : {0.0f, -0.0f, tiny, -tiny, huge, -huge, INFINITY, NAN, 65504.0f}) {
      std::vector<float> x(512, 0.25f);
      x[3] = v, x[260] = -v;
      std::fill(x.begin() + 256, x.begin() + 384, v);
      for (float value : decoded(*f, encoded(*f, x), x.size()))
        ASSERT_TRUE(std::isfinite(value)) << f->name << " " << v;
      const std::vector<float> all(512, v), none(512, 0.0f);
      encoded(*f, all), encoded(*f, x, none);
    }
}

TEST(Encode, RefusesWhatDoesNotFit) {
  const std::vector<float> x(100), w(99);
  std::vector<uint8_t> blocks(4096);
  EXPECT_THROW(encode(*format_by_name("Q4_K"), x, {}, blocks.data()), Error);
  EXPECT_THROW(encode(f16_format, x, w, blocks.data()), Error);
}

}  // namespace
}  // namespace madang
