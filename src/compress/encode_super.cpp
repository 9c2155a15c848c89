// Blocks of 256 whose groups' scales are small whole numbers themselves; layouts in quant/k_quants.h and lattice.h.
// First every group gets its own best scale; then the block's d (and dmin) and the groups' whole numbers are chosen in
// turn, each for the error that they really leave.
#include <algorithm>
#include <cstring>

#include "compress/blocks.h"
#include "compress/fit.h"
#include "quant/lattice.h"

namespace madang::encoders {
namespace {

constexpr int most_groups = 16, rounds = 3;

float as_half(float v) {
  uint8_t bytes[2];
  return put_half(bytes, v);
}

float inverse_of(float scale) { return scale == 0 ? 0 : 1 / scale; }

struct Super {
  float d = 0, dmin = 0;
  int scale[most_groups] = {}, minimum[most_groups] = {};
  float error = std::numeric_limits<float>::infinity();
};

// value = d scale[g] code
template <class Codes>
class Symmetric {
 public:
  Symmetric(const float* x, const float* w, int size, const Codes& code, int low, int high)
      : code_(code), low_(low), high_(high), count_(256 / size) {
    for (int g = 0; g < count_; ++g) {
      groups_[g] = {x + g * size, w + g * size, size};
      wanted_[g] = fit_scale(groups_[g], code, true);
      if (std::fabs(wanted_[g]) > std::fabs(most_)) most_ = wanted_[g];
    }
  }

  Super solve() const {
    Super best;
    if (most_ == 0) return best;
    for (float limit : {static_cast<float>(low_), static_cast<float>(high_), -static_cast<float>(high_)}) {
      Super s;
      s.d = as_half(most_ / limit);
      for (int round = 0; round < rounds; ++round) {
        choose(s);
        if (s.error < best.error) best = s;
        s.d = refit(s);
      }
    }
    return best;
  }

 private:
  void choose(Super& s) const {
    s.error = 0;
    const float inverse = inverse_of(s.d);
    for (int g = 0; g < count_; ++g) {
      const int middle = static_cast<int>(std::clamp(nearest_whole(std::clamp(wanted_[g] * inverse, -1e5f, 1e5f)),
                                                     static_cast<float>(low_), static_cast<float>(high_)));
      float least = std::numeric_limits<float>::infinity();
      for (int l = std::max(low_, middle - 1); l <= std::min(high_, middle + 1); ++l) {
        const float error = fit_error(groups_[g], code_, s.d * static_cast<float>(l));
        if (error < least) least = error, s.scale[g] = l;
      }
      s.error += least;
    }
  }
  float refit(const Super& s) const {
    float xc = 0, cc = 0;
    for (int g = 0; g < count_; ++g) {
      const auto l = static_cast<float>(s.scale[g]);
      const CodeSums sums = code_sums(groups_[g], code_, inverse_of(s.d * l), 0);
      xc += l * sums.xc, cc += l * l * sums.cc;
    }
    return as_half(cc > 0 ? xc / cc : s.d);
  }

  const Codes& code_;
  int low_, high_, count_;
  Group groups_[most_groups];
  float wanted_[most_groups], most_ = 0;
};

// value = d scale[g] code - dmin minimum[g]
class WithMinimum {
 public:
  WithMinimum(const float* x, const float* w, int size, int high_code, int high)
      : code_{0, static_cast<float>(high_code)}, high_(high), count_(256 / size) {
    for (int g = 0; g < count_; ++g) {
      groups_[g] = {x + g * size, w + g * size, size};
      wanted_[g] = fit_affine(groups_[g], high_code, true);
    }
  }

  Super solve() const {
    Super best, s;
    for (int g = 0; g < count_; ++g)
      s.d = std::max(s.d, wanted_[g].scale), s.dmin = std::max(s.dmin, wanted_[g].minimum);
    s.d = as_half(s.d / static_cast<float>(high_)), s.dmin = as_half(s.dmin / static_cast<float>(high_));
    for (int round = 0; round < rounds; ++round) {
      choose(s);
      if (s.error < best.error) best = s;
      refit(s);
    }
    return best;
  }

 private:
  int whole(float wanted, float unit) const {
    return static_cast<int>(
        std::clamp(nearest_whole(std::min(wanted * inverse_of(unit), 1e5f)), 0.0f, static_cast<float>(high_)));
  }
  void choose(Super& s) const {
    s.error = 0;
    for (int g = 0; g < count_; ++g) {
      const int scale = whole(wanted_[g].scale, s.d), minimum = whole(wanted_[g].minimum, s.dmin);
      float least = std::numeric_limits<float>::infinity();
      for (int l = std::max(0, scale - 1); l <= std::min(high_, scale + 1); ++l)
        for (int m = std::max(0, minimum - 1); m <= std::min(high_, minimum + 1); ++m) {
          const float error = fit_error(groups_[g], code_, s.d * static_cast<float>(l), s.dmin * static_cast<float>(m));
          if (error < least) least = error, s.scale[g] = l, s.minimum[g] = m;
        }
      s.error += least;
    }
  }
  // Least squares for d and dmin together, the whole numbers and codes being what they are.
  void refit(Super& s) const {
    float dd = 0, dm = 0, mm = 0, xd = 0, xm = 0;
    for (int g = 0; g < count_; ++g) {
      const auto l = static_cast<float>(s.scale[g]), m = static_cast<float>(s.minimum[g]);
      const Group& group = groups_[g];
      const CodeSums sums = code_sums(group, code_, inverse_of(s.d * l), s.dmin * m);
      float w = 0, x = 0;
      for (int i = 0; i < group.n; ++i) w += group.w[i], x += group.w[i] * group.x[i];
      dd += l * l * sums.cc, dm -= l * m * sums.c, mm += m * m * w, xd += l * sums.xc, xm -= m * x;
    }
    const float determinant = dd * mm - dm * dm;
    if (determinant > 1e-12f * dd * mm) {
      s.d = as_half(std::max(0.0f, (xd * mm - xm * dm) / determinant));
      s.dmin = as_half(std::max(0.0f, (xm * dd - xd * dm) / determinant));
    } else if (dd > 0) {
      s.d = as_half(std::max(0.0f, xd / dd));
    }
  }

  Whole code_;
  int high_, count_;
  Group groups_[most_groups];
  Affine wanted_[most_groups];
};

template <class Codes>
void nearest_codes(const float* x, const Super& s, int size, const Codes& code, int* out) {
  for (int i = 0; i < 256; ++i) {
    const float scale = s.d * static_cast<float>(s.scale[i / size]),
                minimum = s.dmin * static_cast<float>(s.minimum[i / size]);
    out[i] = static_cast<int>(code((x[i] + minimum) * inverse_of(scale)));
  }
}

// Two bits of element 128 h + 32 p + j go to byte j of half h, plane p.
template <class Code>
void put_two_bit_planes(uint8_t* q, const Code& two_bits) {
  std::memset(q, 0, 64);
  for (int i = 0; i < 256; ++i) {
    uint8_t& byte = q[32 * (i / 128) + i % 32];
    byte = static_cast<uint8_t>(byte | (two_bits(i) & 3) << 2 * (i % 128 / 32));
  }
}

// Eight six-bit scales and minimums in twelve bytes.
void put_six_bits(uint8_t* p, const Super& s) {
  std::memset(p, 0, 12);
  for (int g = 0; g < 4; ++g) {
    p[g] = static_cast<uint8_t>(s.scale[g] | (s.scale[g + 4] >> 4) << 6);
    p[g + 4] = static_cast<uint8_t>(s.minimum[g] | (s.minimum[g + 4] >> 4) << 6);
    p[g + 8] = static_cast<uint8_t>((s.scale[g + 4] & 15) | (s.minimum[g + 4] & 15) << 4);
  }
}

// Byte j of run r holds elements 64 r + j and 64 r + 32 + j.
void put_runs_of_nibbles(uint8_t* p, const int* code) {
  for (int i = 0; i < 128; ++i) {
    const int at = i / 32 * 64 + i % 32;
    p[i] = static_cast<uint8_t>((code[at] & 15) | (code[at + 32] & 15) << 4);
  }
}

}  // namespace

void q2_k(const float* x, const float* w, uint8_t* b) {
  const Super s = WithMinimum(x, w, 16, 3, 15).solve();
  int code[256];
  nearest_codes(x, s, 16, Whole{0, 3}, code);
  for (int g = 0; g < 16; ++g) b[g] = static_cast<uint8_t>(s.scale[g] | s.minimum[g] << 4);
  put_two_bit_planes(b + 16, [&](int i) { return code[i]; });
  put_half(b + 80, s.d), put_half(b + 82, s.dmin);
}

void q3_k(const float* x, const float* w, uint8_t* b) {
  const Whole whole{-4, 3};
  const Super s = Symmetric(x, w, 16, whole, -32, 31).solve();
  int code[256];
  nearest_codes(x, s, 16, whole, code);
  std::memset(b, 0, 32);
  for (int i = 0; i < 256; ++i) b[i % 32] = static_cast<uint8_t>(b[i % 32] | (code[i] >= 0) << i / 32);
  put_two_bit_planes(b + 32, [&](int i) { return code[i] + 4; });
  std::memset(b + 96, 0, 12);
  for (int g = 0; g < 16; ++g) {
    const int l = s.scale[g] + 32;
    uint8_t &low = b[96 + g % 8], &high = b[96 + 8 + g % 4];
    low = static_cast<uint8_t>(low | (l & 15) << (g < 8 ? 0 : 4));
    high = static_cast<uint8_t>(high | (l >> 4) << 2 * (g / 4));
  }
  put_half(b + 108, s.d);
}

void q4_k(const float* x, const float* w, uint8_t* b) {
  const Super s = WithMinimum(x, w, 32, 15, 63).solve();
  int code[256];
  nearest_codes(x, s, 32, Whole{0, 15}, code);
  put_half(b, s.d), put_half(b + 2, s.dmin);
  put_six_bits(b + 4, s);
  put_runs_of_nibbles(b + 16, code);
}

void q5_k(const float* x, const float* w, uint8_t* b) {
  const Super s = WithMinimum(x, w, 32, 31, 63).solve();
  int code[256];
  nearest_codes(x, s, 32, Whole{0, 31}, code);
  put_half(b, s.d), put_half(b + 2, s.dmin);
  put_six_bits(b + 4, s);
  std::memset(b + 16, 0, 32);
  for (int i = 0; i < 256; ++i) b[16 + i % 32] = static_cast<uint8_t>(b[16 + i % 32] | (code[i] >> 4) << i / 32);
  put_runs_of_nibbles(b + 48, code);
}

void q6_k(const float* x, const float* w, uint8_t* b) {
  const Whole whole{-32, 31};
  const Super s = Symmetric(x, w, 16, whole, -128, 127).solve();
  int code[256];
  nearest_codes(x, s, 16, whole, code);
  auto stored = [&](int i) { return code[i] + 32; };
  std::memset(b, 0, 128);
  for (int i = 0; i < 256; ++i) {
    const int h = i / 128, p = i % 128 / 32, j = i % 32;
    uint8_t& low = b[64 * h + 32 * (p % 2) + j];
    low = static_cast<uint8_t>(low | (stored(i) & 15) << (p < 2 ? 0 : 4));
  }
  put_two_bit_planes(b + 128, [&](int i) { return stored(i) >> 4; });
  for (int g = 0; g < 16; ++g) b[192 + g] = static_cast<uint8_t>(s.scale[g]);
  put_half(b + 208, s.d);
}

void iq4_xs(const float* x, const float* w, uint8_t* b) {
  const Level level{lattice::iq4_levels, 16};
  const Super s = Symmetric(x, w, 32, level, -32, 31).solve();
  int code[256];
  nearest_codes(x, s, 32, level, code);
  put_half(b, s.d);
  int high = 0;
  std::memset(b + 4, 0, 4);
  for (int g = 0; g < 8; ++g) {
    const int l = s.scale[g] + 32;
    b[4 + g / 2] = static_cast<uint8_t>(b[4 + g / 2] | (l & 15) << 4 * (g % 2));
    high |= (l >> 4) << 2 * g;
  }
  put16(b + 2, static_cast<uint16_t>(high));
  auto index = [&](int i) {
    return static_cast<int>(std::ranges::find(lattice::iq4_levels, code[i]) - lattice::iq4_levels);
  };
  for (int g = 0; g < 8; ++g)
    for (int i = 0; i < 16; ++i)
      b[8 + 16 * g + i] = static_cast<uint8_t>(index(32 * g + i) | index(32 * g + 16 + i) << 4);
}

}  // namespace madang::encoders
