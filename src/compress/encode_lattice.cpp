// Formats whose codes are entries of a code book; layouts in quant/lattice.h. Eight (or four) weights x share an entry
// e and a scale s; the error s^2 B[e] - 2 s A[e] + const, with A = sum w x e and B = sum w e e, is known for all
// entries and any scale once A and B are there. So the nearest entry is found by looking at all of them, never guessed.
#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "compress/blocks.h"
#include "compress/fit.h"
#include "quant/grids.h"

namespace madang::encoders {
namespace {

constexpr int lanes = 8;

// One shared entry: A and B for each entry of the book, the constant left out.
struct Choices {
  std::vector<float> a, b;

  float least(float s) const {
    float low[lanes];
    std::ranges::fill(low, std::numeric_limits<float>::infinity());
    for (size_t e = 0; e < a.size(); e += lanes)
      for (size_t j = 0; j < lanes; ++j) {
        const float error = s * (s * b[e + j] - 2 * a[e + j]);
        low[j] = error < low[j] ? error : low[j];
      }
    return *std::ranges::min_element(low);
  }
  size_t nearest(float s) const {
    size_t best = 0;
    for (size_t e = 1; e < a.size(); ++e)
      if (s * (s * b[e] - 2 * a[e]) < s * (s * b[best] - 2 * a[best])) best = e;
    return best;
  }
};

// Weights that share a scale d (0.5 + level) unit. `ways`: different readings of the whole group (IQ1_S: delta up or
// down), of which the better one is taken.
struct ScaledGroup {
  std::vector<std::vector<Choices>> ways;
  float wanted = 0;
  int level = 0;
  size_t way = 0;

  float least(float s, size_t* better = nullptr) const {
    float best = std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < ways.size(); ++i) {
      float sum = 0;
      for (const Choices& c : ways[i]) sum += c.least(s);
      if (sum < best) {
        best = sum;
        if (better) *better = i;
      }
    }
    return best;
  }
  // The best scale for the entries that are nearest at scale s.
  void sums(float s, float& a, float& b) const {
    size_t better = 0;
    least(s, &better);
    a = b = 0;
    for (const Choices& c : ways[better]) {
      const size_t e = c.nearest(s);
      a += c.a[e], b += c.b[e];
    }
  }
};

constexpr int scale_starts = 12;

void find_wanted(ScaledGroup& g, float most, float largest_entry) {
  float best = 0;
  for (int step = 0; step < scale_starts; ++step) {
    const float s = most / largest_entry * (0.55f + 0.07f * static_cast<float>(step));
    const float error = g.least(s);
    if (error < best) best = error, g.wanted = s;
  }
  if (g.wanted == 0) return;
  float a, b;
  g.sums(g.wanted, a, b);
  if (b > 0 && a > 0 && g.least(a / b) < best) g.wanted = a / b;
}

// Chooses d, each group's level and way. Returns d as stored at p.
float solve(std::vector<ScaledGroup>& groups, int levels, float unit) {
  float most = 0;
  for (const ScaledGroup& g : groups) most = std::max(most, g.wanted);
  if (most == 0) return 0;
  auto factor = [&](int level) { return (0.5f + static_cast<float>(level)) * unit; };
  float best_error = std::numeric_limits<float>::infinity(), best_d = 0;
  std::vector<int> best_levels(groups.size());
  auto choose = [&](float d) {
    float error = 0;
    for (ScaledGroup& g : groups) {
      const int middle =
          std::clamp(static_cast<int>(nearest_whole(std::min(g.wanted / (d * unit), 1e5f) - 0.5f)), 0, levels - 1);
      float least = std::numeric_limits<float>::infinity();
      for (int l = std::max(0, middle - 1); l <= std::min(levels - 1, middle + 1); ++l) {
        const float e = g.least(d * factor(l));
        if (e < least) least = e, g.level = l;
      }
      error += least;
    }
    if (error < best_error) {
      best_error = error, best_d = d;
      for (size_t i = 0; i < groups.size(); ++i) best_levels[i] = groups[i].level;
    }
  };
  auto as_half = [](float v) {
    uint8_t bytes[2];
    return put_half(bytes, v);
  };
  for (float start : {1.0f, 0.92f, 1.08f}) {
    const float d = as_half(most / factor(levels - 1) * start);
    if (d == 0) continue;
    choose(d);
    float num = 0, den = 0;
    for (const ScaledGroup& g : groups) {
      float a, b;
      g.sums(d * factor(g.level), a, b);
      num += factor(g.level) * a, den += factor(g.level) * factor(g.level) * b;
    }
    if (const float next = as_half(den > 0 ? num / den : 0); next > 0 && next != d) choose(next);
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    groups[i].level = best_levels[i];
    groups[i].least(best_d * factor(best_levels[i]), &groups[i].way);
  }
  return best_d;
}

// A code book as floats, entry by entry.
template <size_t dim, class Grid>
std::vector<std::array<float, dim>> floats_of(const Grid& grid) {
  std::vector<std::array<float, dim>> out(grid.size());
  for (size_t e = 0; e < grid.size(); ++e)
    for (size_t j = 0; j < dim; ++j) {
      int8_t value;
      std::memcpy(&value, reinterpret_cast<const char*>(&grid[e]) + j, 1);
      out[e][j] = value;
    }
  return out;
}

template <size_t dim>
Choices choices_of(std::span<const std::array<float, dim>> book, const float* x, const float* w) {
  Choices c{std::vector<float>(book.size()), std::vector<float>(book.size())};
  for (size_t e = 0; e < book.size(); ++e) {
    float a = 0, b = 0;
    for (size_t j = 0; j < dim; ++j) {
      const float value = book[e][j], wv = w[j] * value;
      a += wv * x[j], b += wv * value;
    }
    c.a[e] = a, c.b[e] = b;
  }
  return c;
}

// Magnitudes and sign bits of eight weights. `even`: only seven bits are stored, so an odd number of signs is made even
// where the change weighs least.
uint32_t take_signs(const float* x, const float* w, bool even, float* magnitude) {
  uint32_t signs = 0;
  int cheapest = 0;
  for (int j = 0; j < 8; ++j) {
    magnitude[j] = std::fabs(x[j]);
    signs |= static_cast<uint32_t>(x[j] < 0) << j;
    if (w[j] * magnitude[j] < w[cheapest] * magnitude[cheapest]) cheapest = j;
  }
  if (even && __builtin_popcount(signs) % 2) signs ^= 1u << cheapest, magnitude[cheapest] = -magnitude[cheapest];
  return signs;
}

// A block of 256 weights over a book of magnitudes with signs apart.
struct Signed {
  float d = 0;
  std::vector<ScaledGroup> groups;
  uint32_t signs[32] = {};

  template <size_t dim>
  Signed(const std::vector<std::array<float, dim>>& entries, const float* x, const float* w, int size, bool even,
         float unit, float largest_entry) {
    const std::span book(entries);
    float magnitude[256];
    for (int i = 0; i < 32; ++i) signs[i] = take_signs(x + 8 * i, w + 8 * i, even, magnitude + 8 * i);
    for (int at = 0; at < 256; at += size) {
      ScaledGroup g{{{}}};
      for (int i = at; i < at + size; i += static_cast<int>(dim))
        g.ways[0].push_back(choices_of<dim>(book, magnitude + i, w + i));
      find_wanted(g, *std::max_element(magnitude + at, magnitude + at + size), largest_entry);
      groups.push_back(std::move(g));
    }
    d = solve(groups, 16, unit);
    unit_ = unit;
  }
  // The entry of vector v of all the block's vectors.
  int index(int v) const {
    const size_t each = groups[0].ways[0].size(), g = static_cast<size_t>(v) / each;
    const float s = d * (0.5f + static_cast<float>(groups[g].level)) * unit_;
    return static_cast<int>(groups[g].ways[0][static_cast<size_t>(v) % each].nearest(s));
  }
  int level(int g) const { return groups[static_cast<size_t>(g)].level; }

 private:
  float unit_ = 0;
};

void put_levels(uint8_t* p, const Signed& s, int groups) {
  for (int g = 0; g < groups; g += 2) p[g / 2] = static_cast<uint8_t>(s.level(g) | s.level(g + 1) << 4);
}

void put32(uint8_t* p, uint32_t v) { std::memcpy(p, &v, 4); }

}  // namespace

void iq2_xxs(const float* x, const float* w, uint8_t* b) {
  static const auto book = floats_of<8>(iq2_xxs_grid);
  const Signed s(book, x, w, 32, true, 0.25f, 43);
  put_half(b, s.d);
  for (int g = 0; g < 8; ++g) {
    uint32_t word = static_cast<uint32_t>(s.level(g)) << 28;
    for (int l = 0; l < 4; ++l) {
      b[2 + 8 * g + l] = static_cast<uint8_t>(s.index(4 * g + l));
      word |= (s.signs[4 * g + l] & 127) << 7 * l;
    }
    put32(b + 6 + 8 * g, word);
  }
}

void iq2_xs(const float* x, const float* w, uint8_t* b) {
  static const auto book = floats_of<8>(iq2_xs_grid);
  const Signed s(book, x, w, 16, true, 0.25f, 43);
  put_half(b, s.d);
  for (int i = 0; i < 32; ++i)
    put16(b + 2 + 2 * i, static_cast<uint16_t>(s.index(i) | static_cast<int>(s.signs[i] & 127) << 9));
  put_levels(b + 66, s, 16);
}

void iq2_s(const float* x, const float* w, uint8_t* b) {
  static const auto book = floats_of<8>(iq2_s_grid);
  const Signed s(book, x, w, 16, false, 0.25f, 43);
  put_half(b, s.d);
  std::memset(b + 66, 0, 8);
  for (int i = 0; i < 32; ++i) {
    const int index = s.index(i);
    b[2 + i] = static_cast<uint8_t>(index), b[34 + i] = static_cast<uint8_t>(s.signs[i]);
    b[66 + i / 4] = static_cast<uint8_t>(b[66 + i / 4] | (index >> 8) << 2 * (i % 4));
  }
  put_levels(b + 74, s, 16);
}

void iq3_xxs(const float* x, const float* w, uint8_t* b) {
  static const auto book = floats_of<4>(iq3_xxs_grid);
  const Signed s(book, x, w, 32, true, 0.5f, 62);
  put_half(b, s.d);
  for (int v = 0; v < 64; ++v) b[2 + v] = static_cast<uint8_t>(s.index(v));
  for (int g = 0; g < 8; ++g) {
    uint32_t word = static_cast<uint32_t>(s.level(g)) << 28;
    for (int l = 0; l < 4; ++l) word |= (s.signs[4 * g + l] & 127) << 7 * l;
    put32(b + 66 + 4 * g, word);
  }
}

void iq3_s(const float* x, const float* w, uint8_t* b) {
  static const auto book = floats_of<4>(iq3_s_grid);
  const Signed s(book, x, w, 32, false, 2, 15);
  put_half(b, s.d);
  std::memset(b + 66, 0, 8);
  for (int v = 0; v < 64; ++v) {
    const int index = s.index(v);
    b[2 + v] = static_cast<uint8_t>(index);
    b[66 + v / 8] = static_cast<uint8_t>(b[66 + v / 8] | (index >> 8) << v % 8);
  }
  for (int i = 0; i < 32; ++i) b[74 + i] = static_cast<uint8_t>(s.signs[i]);
  put_levels(b + 106, s, 8);
}

// IQ1: entries of -1, 0 and 1 (times eight), shifted by an eighth (times eight: by one) up, then all of them down.
void iq1_s(const float* x, const float* w, uint8_t* b) {
  static const auto entries = floats_of<8>(iq1_grid);
  const std::span<const std::array<float, 8>> book(entries);
  const size_t half = book.size() / 2;
  std::vector<ScaledGroup> groups;
  for (int at = 0; at < 256; at += 32) {
    ScaledGroup g{{{}, {}}};
    for (int i = at; i < at + 32; i += 8) {
      g.ways[0].push_back(choices_of(book.first(half), x + i, w + i));
      g.ways[1].push_back(choices_of(book.last(half), x + i, w + i));
    }
    find_wanted(g, largest_value({x + at, w + at, 32}), 9);
    groups.push_back(std::move(g));
  }
  const float d = put_half(b, solve(groups, 8, 0.25f));
  for (int k = 0; k < 8; ++k) {
    const ScaledGroup& g = groups[static_cast<size_t>(k)];
    const float s = d * (0.5f + static_cast<float>(g.level)) * 0.25f;
    int word = g.level << 12 | static_cast<int>(g.way) << 15;
    for (int l = 0; l < 4; ++l) {
      const auto index = static_cast<int>(g.ways[g.way][static_cast<size_t>(l)].nearest(s));
      b[2 + 4 * k + l] = static_cast<uint8_t>(index);
      word |= (index >> 8) << 3 * l;
    }
    put16(b + 34 + 2 * k, static_cast<uint16_t>(word));
  }
}

void iq1_m(const float* x, const float* w, uint8_t* b) {
  static const auto entries = floats_of<8>(iq1_grid);
  const std::span<const std::array<float, 8>> book(entries);
  std::vector<ScaledGroup> groups;
  for (int at = 0; at < 256; at += 16) {
    ScaledGroup g{{{}}};
    for (int i = at; i < at + 16; i += 8) g.ways[0].push_back(choices_of(book, x + i, w + i));
    find_wanted(g, largest_value({x + at, w + at, 16}), 9);
    groups.push_back(std::move(g));
  }
  const float d = solve(groups, 8, 0.25f);
  const uint16_t half = half_of_float(d);
  uint16_t words[4] = {static_cast<uint16_t>((half & 0xF) << 12), static_cast<uint16_t>((half & 0xF0) << 8),
                       static_cast<uint16_t>((half & 0xF00) << 4), static_cast<uint16_t>(half & 0xF000)};
  std::memset(b + 32, 0, 16);
  for (int i = 0; i < 32; ++i) {
    const ScaledGroup& g = groups[static_cast<size_t>(i / 2)];
    const float s = d * (0.5f + static_cast<float>(g.level)) * 0.25f;
    const auto entry = static_cast<int>(g.ways[0][static_cast<size_t>(i % 2)].nearest(s));
    b[i] = static_cast<uint8_t>(entry);
    b[32 + i / 2] = static_cast<uint8_t>(b[32 + i / 2] | entry >> 8 << 4 * (i % 2));
  }
  for (int g = 0; g < 16; ++g)
    words[g / 4] = static_cast<uint16_t>(words[g / 4] | groups[static_cast<size_t>(g)].level << 3 * (g % 4));
  for (int i = 0; i < 4; ++i) put16(b + 48 + 2 * i, words[i]);
}

}  // namespace madang::encoders
