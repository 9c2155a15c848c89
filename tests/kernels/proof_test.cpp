// Every form of panel, few and many tokens, short and long rows; a table that is wrong in one bit is found out; and the
// best of those that are granted is chosen.
#include "proof.h"

#include "base/error.h"
#include "kernels/known.h"
#include "kernels_support.h"

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
