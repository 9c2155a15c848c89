// Every form of panel, few and many tokens, short and long rows; a table that is wrong in one bit is found out; and the
// best of those that are granted is chosen.
#include "proof.h"

#include "base/error.h"
#include "kernels/known.h"
#include "kernels_support.h"
#include "tensor/half.h"

namespace madang {
namespace {

TEST(Proof, EveryFormGivesTheReferenceBits) {
  Random random(test::seed());
  for (int form = 0; form < panel_form_count; ++form) {
    const ProductShape shape{.form = form,
                             .rows = random.between(1, 40),
                             .cols = panel_forms[form].block() * random.between(1, 4200 / panel_forms[form].block()),
                             .tokens = random.between(1, 40)};
    for (const Kernels* k : test::tables())
      EXPECT_TRUE(same_product(*k, shape, random)) << k->name << " form " << form << " rows " << shape.rows << " cols "
                                                   << shape.cols << " tokens " << shape.tokens;
  }
}

TEST(Proof, EveryNumberOfTokensGivesTheReferenceBits) {
  Random random(test::seed());
  for (int64_t n = 1; n <= 40; ++n)
    for (const int form : {1, 7}) {
      const ProductShape shape{.form = form, .rows = random.between(1, 20), .cols = 256, .tokens = n};
      for (const Kernels* k : test::tables())
        EXPECT_TRUE(same_product(*k, shape, random)) << k->name << " tokens " << n;
    }
}

TEST(Proof, Bf16GivesTheReferenceBits) {
  Random random(test::seed());
  for (int i = 0; i < 12; ++i) {
    const int64_t rows = random.between(1, 70), cols = 32 * random.between(1, 40), n = random.between(1, 70);
    for (const Kernels* k : test::tables())
      EXPECT_TRUE(same_bf16_product(*k, rows, cols, n, random)) << k->name << " " << rows << " " << cols << " " << n;
  }
}

// What a token gets does not depend on those beside it, and is what rounding to eight bits leaves of the exact product.
TEST(Proof, Bf16TokensStandAlone) {
  Random random(test::seed());
  const int64_t rows = 48, cols = 640, n = 37;
  std::vector<uint16_t> numbers(rows * cols);
  for (uint16_t& number : numbers) number = bf16_of_float(static_cast<float>(random.normal()));
  const Weight w{
      .format = &bf16_format, .bytes = reinterpret_cast<const uint8_t*>(numbers.data()), .rows = rows, .cols = cols};
  const auto x = test::normals(random, n * cols);
  for (const Kernels* k : test::tables()) {
    std::vector<uint16_t> rounded(x.size());
    const Bf16Rows all{.rows = n, .cols = cols, .number = rounded.data()};
    k->to_bf16(x.data(), 0, n, all);
    std::vector<float> many(n * rows), one(many), exact(many);
    k->matmul_bf16(w, all, 0, rows, many.data(), rows);
    for (int64_t t = 0; t < n; ++t) {
      const Bf16Rows single{.rows = 1, .cols = cols, .number = rounded.data()};
      k->to_bf16(x.data() + t * cols, 0, 1, single);
      k->matmul_bf16(w, single, 0, rows, one.data() + t * rows, rows);
    }
    EXPECT_EQ(std::memcmp(many.data(), one.data(), many.size() * 4), 0) << k->name;
    k->matmul_exact(w, x.data(), n, 0, rows, exact.data(), rows);
    double off = 0, size = 0;
    for (size_t i = 0; i < many.size(); ++i)
      off += (many[i] - exact[i]) * (many[i] - exact[i]), size += exact[i] * exact[i];
    EXPECT_LE(std::sqrt(off / size), 0x1p-9) << k->name;  // the largest error of one number's rounding
    EXPECT_GT(off, 0) << k->name;
  }
}

// The reference but for one bit of one result, where a product has tokens enough for a tile.
void wrong_in_a_bit(const Panels& w, const Int8Rows& x, int64_t begin, int64_t end, float* y, int64_t y_stride) {
  ref_kernels.matmul_fast(w, x, begin, end, y, y_stride);
  if (x.rows < 12) return;
  uint32_t bits;
  std::memcpy(&bits, y, 4), bits ^= 1, std::memcpy(y, &bits, 4);
}

TEST(Proof, FindsWhatIsWrongInABit) {
  for (const Kernels* k : test::tables()) EXPECT_TRUE(multiplies_right(*k)) << k->name;
  EXPECT_TRUE(multiplies_right(ref_kernels));
  Kernels wrong = ref_kernels;
  wrong.matmul_fast = wrong_in_a_bit;
  EXPECT_FALSE(multiplies_right(wrong));
}

TEST(Proof, TheFirstGrantedKernelsAreChosen) {
  for (const KernelsRow& row : known_kernels())
    if (row.granted) {
      EXPECT_EQ(pick_kernels("").name, row.name);
      break;
    }
  for (const KernelsRow& row : known_kernels())
    if (row.granted)
      EXPECT_EQ(pick_kernels(row.name).name, row.name);
    else
      EXPECT_THROW(pick_kernels(row.name), Error) << row.name;
}

}  // namespace
}  // namespace madang
