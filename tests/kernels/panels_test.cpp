// Integer products: panels hold what the file's blocks hold; every instruction set gives the reference's bits, whatever
// the number of tokens and the split of the work; and the result is as near to the exact product as the rounding of the
// activations allows.
#include "quant/panels.h"

#include <cmath>

#include "base/thread_pool.h"
#include "kernels_support.h"

namespace madang {
namespace {

using test::Int8, test::normals, test::random_blocks, test::tables;

struct Case {
  const Format& format;
  int64_t rows, cols;
  std::vector<uint8_t> bytes;
  Weight weight;
  Case(Random& random, const Format& f, int64_t r, int64_t c)
      : format(f), rows(r), cols(c), bytes(random_blocks(random, f, r, c)) {
    weight = {&f, bytes.data(), r, c, nullptr, nullptr};
  }
};

int64_t some_cols(Random& random, const Format& f) { return std::max(32, f.block) * random.between(1, 5); }

// The packed forms of a case: the kept one, if the format has one, and the one for a moment.
struct Packed {
  std::unique_ptr<uint8_t[]> memory;
  size_t size = 0;
  std::vector<Panels> all;
  explicit Packed(const Case& c) {
    ThreadPool pool(2);
    if (panel_form(c.format) >= 0) all.push_back(pack(c.weight, pool));
    all.push_back(pack_loose(c.weight, 0, c.rows, memory, size));
  }
};

TEST(Panels, HoldWhatTheBlocksHold) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    if (!f.codes) continue;
    ASSERT_GE(panel_form(f), 0) << f.name;
    const Case c(random, f, random.between(1, 40), some_cols(random, f));
    for (const Panels& p : Packed(c).all) {
      std::vector<int8_t> code(static_cast<size_t>(f.block));
      float scale[16], minimum[16] = {};
      for (int64_t r = 0; r < c.rows; ++r)
        for (int64_t at = 0; at < c.cols; at += f.block) {
          f.codes(c.weight.row(r) + at / f.block * f.bytes, code.data(), scale, minimum);
          for (int64_t i = 0; i < f.block; ++i) {
            ASSERT_EQ(p.code(r, at + i) - p.shape().offset, code[static_cast<size_t>(i)]) << f.name;
            ASSERT_EQ(p.scale(r, (at + i) / f.group), scale[i / f.group]) << f.name;
            ASSERT_EQ(p.minimum(r, (at + i) / f.group), minimum[i / f.group]) << f.name;
          }
        }
      if (p.form < panel_form_count - 4 && c.rows % panel_rows == 0 && c.cols > 512) {
        const auto more = [&](std::string_view name, int percent) { return f.name == name ? percent : 0; };
        const int most = std::max({more("NVFP4", 113), more("Q2_0", 113), more("TQ1_0", 126), more("Q1_0", 135),
                                   more("Q3_K", 106), f.name.starts_with("IQ") ? 108 : 104});  // percent: see panels.h
        EXPECT_LE(p.count() * p.panel_size(), c.weight.size() * most / 100) << f.name;
      }
    }
  }
}

TEST(Panels, EveryInstructionSetGivesTheReferenceBits) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    if (!f.codes) continue;
    const Case c(random, f, random.between(1, 50), some_cols(random, f));
    const int64_t n = random.between(1, 30);
    const auto x = normals(random, n * c.cols);
    const auto size = static_cast<size_t>(n * c.rows);
    std::vector<float> first;
    for (const Panels& p : Packed(c).all) {
      std::vector<float> ref(size);
      const Int8 q(ref_kernels, x.data(), n, c.cols);
      ref_kernels.matmul_fast(p, q.rows, 0, p.count(), ref.data(), c.rows);
      if (first.empty()) first = ref;
      EXPECT_EQ(std::memcmp(ref.data(), first.data(), size * 4), 0) << f.name << ": kept and loose panels";
      for (const Kernels* k : tables()) {
        std::vector<float> many(size), one(size);
        k->matmul_fast(p, Int8(*k, x.data(), n, c.cols).rows, 0, p.count(), many.data(), c.rows);
        EXPECT_EQ(std::memcmp(many.data(), ref.data(), size * 4), 0)
            << k->name << " " << f.name << " rows " << c.rows << " cols " << c.cols << " tokens " << n;
        for (int64_t t = 0; t < n; ++t) {
          const Int8 single(*k, x.data() + t * c.cols, 1, c.cols);
          for (int64_t i = 0; i < p.count(); ++i)
            k->matmul_fast(p, single.rows, i, i + 1, one.data() + t * c.rows, c.rows);
        }
        EXPECT_EQ(std::memcmp(one.data(), ref.data(), size * 4), 0) << k->name << " one by one " << f.name;
      }
    }
  }
}

// Many tokens meet panels unpacked stretch by stretch: long rows, whole stretches and what is left of one.
TEST(Panels, ManyTokensGiveTheBitsOfSingleOnes) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    if (!f.codes) continue;
    const Case c(random, f, random.between(1, 20), 2048 * random.between(0, 2) + some_cols(random, f));
    const int64_t n = random.between(48, 75);
    const auto x = normals(random, n * c.cols);
    const Packed packed(c);
    const Panels& p = packed.all.front();
    const auto size = static_cast<size_t>(n * c.rows);
    for (const Kernels* k : tables()) {
      std::vector<float> many(size), one(size);
      const Int8 q(*k, x.data(), n, c.cols);
      k->matmul_fast(p, q.rows, 0, p.count(), many.data(), c.rows);
      for (int64_t t = 0; t < n; ++t)
        k->matmul_fast(p, Int8(*k, x.data() + t * c.cols, 1, c.cols).rows, 0, p.count(), one.data() + t * c.rows,
                       c.rows);
      EXPECT_EQ(std::memcmp(many.data(), one.data(), size * 4), 0)
          << k->name << " " << f.name << " rows " << c.rows << " cols " << c.cols << " tokens " << n;
    }
  }
}

TEST(Panels, NoTokensAreNoWork) {
  Random random(test::seed());
  const Format& f = *format_by_name("Q4_0");
  const Case c(random, f, 20, 64);
  const Packed packed(c);
  const Panels& p = packed.all.front();
  for (const Kernels* k : tables()) {
    float untouched = 7;
    k->matmul_fast(p, Int8(*k, nullptr, 0, c.cols).rows, 0, p.count(), &untouched, c.rows);
    EXPECT_EQ(untouched, 7) << k->name;
  }
}

// Bytes [begin, end) of a block that hold codes alone.
std::pair<int, int> code_bytes(const Format& f) {
  if (!f.in_files()) return {f.bytes - (f.bytes >= 32 ? 32 : 16), f.bytes};
  if (f.name == "IQ1_M") return {0, 48};
  if (f.name == "Q2_K") return {16, 80};
  if (f.name == "Q3_K") return {0, 96};
  if (f.name == "Q6_K") return {0, 192};
  if (f.name == "TQ1_0") return {0, 52};
  if (f.name == "TQ2_0") return {0, 64};
  if (f.name == "MXFP4") return {1, 17};
  if (f.name == "NVFP4") return {4, 36};
  return {f.block == 256 ? 16 : f.has_minimum ? 4 : 2, f.bytes};
}

// Every code at an end of its range and every activation at an end of its own: sums in 16 bits must not overflow.
TEST(Panels, ExtremeCodesDoNotOverflow) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    if (panel_form(f) < 0) continue;
    for (const uint8_t fill : {0xFF, 0x00, 0x80, 0x7F}) {
      Case c(random, f, 16, 256);
      const auto [begin, end] = code_bytes(f);
      const bool number = f.name != "FP8_E4M3" || (fill & 0x7F) != 0x7F;
      for (size_t at = 0; at < c.bytes.size(); at += static_cast<size_t>(f.bytes))
        for (int i = begin; i < end; ++i) c.bytes[at + static_cast<size_t>(i)] = number ? fill : fill ^ 1;
      std::vector<float> x(256);
      for (size_t i = 0; i < x.size(); ++i) x[i] = fill == 0x80 && i % 2 ? -1.0f : 1.0f;
      for (const Panels& p : Packed(c).all) {
        const Int8 q(ref_kernels, x.data(), 1, 256);
        std::vector<float> ref(16), y(16);
        ref_kernels.matmul_fast(p, q.rows, 0, 1, ref.data(), 16);
        for (const Kernels* k : tables()) {
          k->matmul_fast(p, q.rows, 0, 1, y.data(), 16);
          EXPECT_EQ(std::memcmp(y.data(), ref.data(), 64), 0) << k->name << " " << f.name << " " << int{fill};
          EXPECT_TRUE(std::isfinite(y[0])) << f.name;
        }
      }
    }
  }
}

// |fast - exact| <= sum |w| * (half a step of the activation's group), and what codes and float32 sums round.
TEST(Panels, ProductsAreAsNearAsTheActivationsAre) {
  Random random(test::seed());
  for (const Format& f : formats()) {
    if (!f.codes) continue;
    const Case c(random, f, 20, some_cols(random, f));
    const int64_t n = 3;
    const auto x = normals(random, n * c.cols);
    std::vector<float> fast(static_cast<size_t>(n * c.rows)), row(static_cast<size_t>(c.cols));
    const Kernels& k = *tables().back();
    const Int8 q(k, x.data(), n, c.cols);
    const Packed packed(c);
    const Panels& p = packed.all.front();
    k.matmul_fast(p, q.rows, 0, p.count(), fast.data(), c.rows);
    for (int64_t r = 0; r < c.rows; ++r) {
      f.decode(c.weight.row(r), c.cols, row.data());
      for (int64_t t = 0; t < n; ++t) {
        double exact = 0, bound = 0, size = 0;
        for (int64_t i = 0; i < c.cols; ++i) {
          const double w = row[static_cast<size_t>(i)], v = x[static_cast<size_t>(t * c.cols + i)];
          const int64_t g = i / f.group;
          const double code = static_cast<double>(p.scale(r, g)) * (p.code(r, i) - p.shape().offset) - p.minimum(r, g);
          exact += w * v, bound += std::fabs(w) * q.scale[static_cast<size_t>(q.rows.slot(t, i / 32))] * 0.5001;
          bound += std::fabs(code - w) * std::fabs(v) * 1.01;
          size += (std::fabs(w) + 2 * std::fabs(p.minimum(r, g))) * std::fabs(v);
        }
        EXPECT_NEAR(fast[static_cast<size_t>(t * c.rows + r)], exact, bound + 1e-5 * size) << f.name;
      }
    }
  }
}

TEST(Panels, Int8RowsRoundToTheNearestCode) {
  Random random(test::seed());
  for (const int64_t n : {1, 5, 12, 29, 35}) {
    const auto x = normals(random, n * 96, 3);
    for (const Kernels* k : tables()) {
      const Int8 q(*k, x.data(), n, 96), r(ref_kernels, x.data(), n, 96);
      for (int64_t t = 0; t < n; ++t)
        for (int64_t i = 0; i < 96; ++i) {
          const auto slot = static_cast<size_t>(q.rows.slot(t, i / 32)),
                     right = static_cast<size_t>(r.rows.slot(t, i / 32));
          const int8_t code = q.code[slot * 32 + static_cast<size_t>(i % 32)];
          ASSERT_EQ(code, r.code[right * 32 + static_cast<size_t>(i % 32)]) << k->name;
          ASSERT_EQ(q.scale[slot], r.scale[right]) << k->name;
          ASSERT_EQ(q.low[slot], r.low[right]) << k->name;
          ASSERT_NEAR(q.scale[slot] * code, x[static_cast<size_t>(t * 96 + i)], q.scale[slot] * 0.5001f);
        }
    }
  }
}

}  // namespace
}  // namespace madang
