// One scale, perhaps one minimum, and codes in order; layouts in quant/legacy.h, lattice.h and small_floats.h.
#include <algorithm>
#include <cstring>

#include "compress/blocks.h"
#include "compress/fit.h"
#include "quant/lattice.h"
#include "quant/small_floats.h"

namespace madang::encoders {
namespace {

float inverse_of(float scale) { return scale == 0 ? 0 : 1 / scale; }

// Codes plus bias as nibbles: elements 0..15 low, 16..31 high.
template <class Code>
void put_nibbles(uint8_t* p, const Code& code_of) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<uint8_t>((code_of(i) & 15) | (code_of(i + 16) & 15) << 4);
}

template <class Code>
void put_fifth_bits(uint8_t* p, const Code& code_of) {
  uint32_t bits = 0;
  for (int i = 0; i < 32; ++i) bits |= static_cast<uint32_t>(code_of(i) >> 4 & 1) << i;
  std::memcpy(p, &bits, 4);
}

// The codes of a group for a scale (and minimum) as stored.
template <class Codes>
void nearest_codes(const Group& g, const Codes& code, float scale, float minimum, int* out) {
  const float inverse = inverse_of(scale);
  for (int i = 0; i < g.n; ++i) out[i] = static_cast<int>(code((g.x[i] + minimum) * inverse));
}

// Writes the best scale at p and gives its codes.
template <class Codes>
void scaled(const float* x, const float* w, int n, const Codes& code, uint8_t* p, int* out) {
  const Group g{x, w, n};
  const float scale = put_half(p, fit_scale(g, code, code.largest() != 1));
  nearest_codes(g, code, scale, 0, out);
}

void affine(const float* x, const float* w, int high, uint8_t* p, int* out) {
  const Group g{x, w, 32};
  const Affine a = fit_affine(g, high, false);
  const float scale = put_half(p, a.scale), minimum = -put_half(p + 2, -a.minimum);
  nearest_codes(g, Whole{0, static_cast<float>(high)}, scale, minimum, out);
}

// The index of a level; levels come from the table, so it is there.
template <size_t N>
int index_of(const int8_t (&levels)[N], int level) {
  return static_cast<int>(std::ranges::find(levels, level) - levels);
}

constexpr int8_t e2m1_rising[] = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};

}  // namespace

void q4_0(const float* x, const float* w, uint8_t* b) {
  int code[32];
  scaled(x, w, 32, Whole{-8, 7}, b, code);
  put_nibbles(b + 2, [&](int i) { return code[i] + 8; });
}

void q4_1(const float* x, const float* w, uint8_t* b) {
  int code[32];
  affine(x, w, 15, b, code);
  put_nibbles(b + 4, [&](int i) { return code[i]; });
}

void q5_0(const float* x, const float* w, uint8_t* b) {
  int code[32];
  scaled(x, w, 32, Whole{-16, 15}, b, code);
  put_fifth_bits(b + 2, [&](int i) { return code[i] + 16; });
  put_nibbles(b + 6, [&](int i) { return code[i] + 16; });
}

void q5_1(const float* x, const float* w, uint8_t* b) {
  int code[32];
  affine(x, w, 31, b, code);
  put_fifth_bits(b + 4, [&](int i) { return code[i]; });
  put_nibbles(b + 8, [&](int i) { return code[i]; });
}

void q8_0(const float* x, const float* w, uint8_t* b) {
  int code[32];
  scaled(x, w, 32, Whole{-127, 127}, b, code);
  for (int i = 0; i < 32; ++i) b[2 + i] = static_cast<uint8_t>(code[i]);
}

void q1_0(const float* x, const float* w, uint8_t* b) {
  float weights = 0, sum = 0;  // with signs as codes, the best scale is the weighted mean of |x|
  for (int i = 0; i < 128; ++i) weights += w[i], sum += w[i] * std::fabs(x[i]);
  put_half(b, weights > 0 ? sum / weights : 0);
  std::memset(b + 2, 0, 16);
  for (int i = 0; i < 128; ++i) b[2 + i / 8] = static_cast<uint8_t>(b[2 + i / 8] | (x[i] >= 0) << i % 8);
}

void q2_0(const float* x, const float* w, uint8_t* b) {
  int code[64];
  scaled(x, w, 64, Whole{-1, 2}, b, code);
  for (int i = 0; i < 16; ++i) {
    int byte = 0;
    for (int j = 0; j < 4; ++j) byte |= (code[4 * i + j] + 1) << 2 * j;
    b[2 + i] = static_cast<uint8_t>(byte);
  }
}

void iq4_nl(const float* x, const float* w, uint8_t* b) {
  int code[32];
  scaled(x, w, 32, Level{lattice::iq4_levels, 16}, b, code);
  put_nibbles(b + 2, [&](int i) { return index_of(lattice::iq4_levels, code[i]); });
}

void tq2_0(const float* x, const float* w, uint8_t* b) {
  int code[256];
  scaled(x, w, 256, Whole{-1, 1}, b + 64, code);
  std::memset(b, 0, 64);
  for (int i = 0; i < 256; ++i) {
    uint8_t& byte = b[i / 128 * 32 + i % 32];
    byte = static_cast<uint8_t>(byte | (code[i] + 1) << 2 * (i % 128 / 32));
  }
}

void tq1_0(const float* x, const float* w, uint8_t* b) {
  int code[256];
  scaled(x, w, 256, Whole{-1, 1}, b + 52, code);
  const int* next = code;
  // Digits as a fraction of 256, rounded up, so that multiplying by three and cutting gives each back.
  auto run = [&](uint8_t* bytes, int count, int digits) {
    for (int j = 0; j < count; ++j) {
      int number = 0;
      for (int n = 0; n < 5; ++n) number = 3 * number + (n < digits ? next[n * count + j] + 1 : 0);
      bytes[j] = static_cast<uint8_t>((number * 256 + 242) / 243);
    }
    next += count * digits;
  };
  run(b, 32, 5), run(b + 32, 16, 5), run(b + 48, 4, 4);
}

void mxfp4(const float* x, const float* w, uint8_t* b) {
  const Group g{x, w, 32};
  const Level code{e2m1_rising, 15};
  const float most = largest_value(g);
  // The exponent that just holds the largest value, and its neighbours: fewer clipped values or finer steps.
  const int middle = most > 0 ? static_cast<int>(std::ceil(std::log2(most / 12))) + 128 : 0;
  int exponent = 0;
  float least = std::numeric_limits<float>::infinity();
  for (int e = std::clamp(middle - 2, 0, 254); e <= std::clamp(middle + 1, 0, 254); ++e) {
    const float error = fit_error(g, code, small_floats::half_e8m0(static_cast<uint8_t>(e)));
    if (error < least) least = error, exponent = e;
  }
  b[0] = static_cast<uint8_t>(exponent);
  int codes[32];
  nearest_codes(g, code, small_floats::half_e8m0(b[0]), 0, codes);
  put_nibbles(b + 1, [&](int i) { return index_of(small_floats::e2m1_doubled, codes[i]); });
}

void nvfp4(const float* x, const float* w, uint8_t* b) {
  const Level code{e2m1_rising, 15};
  for (int k = 0; k < 4; ++k) {
    const Group g{x + 16 * k, w + 16 * k, 16};
    const float wanted = std::fabs(fit_scale(g, code, false));
    int scale = 0;
    float least = std::numeric_limits<float>::infinity();
    int nearest = 0;  // scales rise with their codes, 0 to 0x7E
    while (nearest < 0x7E && small_floats::half_ue4m3(static_cast<uint8_t>(nearest)) < wanted) ++nearest;
    for (int s = std::max(0, nearest - 3); s <= std::min(0x7E, nearest + 2); ++s) {
      const float error = fit_error(g, code, small_floats::half_ue4m3(static_cast<uint8_t>(s)));
      if (error < least) least = error, scale = s;
    }
    b[k] = static_cast<uint8_t>(scale);
    int codes[16];
    nearest_codes(g, code, small_floats::half_ue4m3(b[k]), 0, codes);
    auto index = [&](int i) { return index_of(small_floats::e2m1_doubled, codes[i]); };
    for (int i = 0; i < 8; ++i) b[4 + 8 * k + i] = static_cast<uint8_t>(index(i) | index(i + 8) << 4);
  }
}

}  // namespace madang::encoders
