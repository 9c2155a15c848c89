#include "proof.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tensor/half.h"

namespace madang {

bool same_product(const Kernels& kernels, const ProductShape& shape, Random& random) {
  const int64_t n = shape.tokens, panels = (shape.rows + panel_rows - 1) / panel_rows;
  Panels w{.form = shape.form, .rows = shape.rows, .cols = shape.cols};
  std::vector<uint8_t> bytes(static_cast<size_t>(panels * w.panel_size()));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.bits());
  w.bytes = bytes.data();
  for (int64_t p = 0; p < panels; ++p)  // finite scales, whatever they are kept as
    for (int64_t g = 0; g < w.groups(); ++g)
      for (int64_t i = 0; i < w.shape().scale_bytes(); ++i) bytes[static_cast<size_t>(w.scales_at(p, g) + i)] &= 0x3F;

  std::vector<float> numbers(static_cast<size_t>(n * shape.cols));
  for (float& number : numbers) number = static_cast<float>(random.normal());
  Int8Rows x{.rows = n, .cols = shape.cols, .tile = kernels.int8_tile(n)};
  const auto slots = static_cast<size_t>(x.slots());
  std::vector<int8_t> code(slots * 32);
  std::vector<float> scale(slots), low(slots);
  std::vector<int32_t> less(slots * 3);
  x.code = code.data(), x.scale = scale.data(), x.low = low.data(), x.less = less.data();
  ref_kernels.to_int8(numbers.data(), 0, n, x);

  std::vector<float> y(static_cast<size_t>(n * shape.rows)), right(y.size());
  kernels.matmul_fast(w, x, 0, panels, y.data(), shape.rows);
  ref_kernels.matmul_fast(w, x, 0, panels, right.data(), shape.rows);
  return std::memcmp(y.data(), right.data(), y.size() * sizeof(float)) == 0;
}

namespace {

// Of all sizes, subnormal ones too, and now and then none.
uint16_t some_bf16(Random& random) {
  const int64_t kind = random.between(0, 200);
  if (kind == 0) return static_cast<uint16_t>(random.bits() & 0x807F);
  const double size = kind < 3 ? -130 : kind < 100 ? 0 : static_cast<double>(random.between(-20, 20));
  return bf16_of_float(static_cast<float>(random.normal() * std::exp2(size)));
}

std::vector<float> bf16_product(const Kernels& kernels, const Weight& w, const std::vector<float>& x, int64_t tokens) {
  std::vector<uint16_t> numbers(x.size());
  const Bf16Rows rows{.rows = tokens, .cols = w.cols, .number = numbers.data()};
  kernels.to_bf16(x.data(), 0, tokens, rows);
  std::vector<float> y(static_cast<size_t>(tokens * w.rows), 7.0f);
  for (int64_t r = 0; r < w.rows; r += 32) kernels.matmul_bf16(w, rows, r, std::min(r + 32, w.rows), y.data(), w.rows);
  return y;
}

}  // namespace

bool same_bf16_product(const Kernels& kernels, int64_t rows, int64_t cols, int64_t tokens, Random& random) {
  std::vector<uint16_t> numbers(static_cast<size_t>(rows * cols));
  for (uint16_t& number : numbers) number = some_bf16(random);
  const Weight w{
      .format = &bf16_format, .bytes = reinterpret_cast<const uint8_t*>(numbers.data()), .rows = rows, .cols = cols};
  std::vector<float> x(static_cast<size_t>(tokens * cols));
  for (float& number : x) number = float_of_bf16(some_bf16(random)) * static_cast<float>(1 + random.normal() / 9);
  const auto y = bf16_product(kernels, w, x, tokens), right = bf16_product(ref_kernels, w, x, tokens);
  return std::memcmp(y.data(), right.data(), y.size() * sizeof(float)) == 0;
}

bool multiplies_right(const Kernels& kernels) {
  Random random(9);
  // Q4_K: whole groups, minimums; Q6_K: halves of them, an offset. Tokens for tiles of 16 (one and two), 8 and 4 and
  // for vectors; columns for more than a stretch of unpacked codes; rows for two panels, or one that is not full.
  return same_product(kernels, {.form = 5, .rows = 5, .cols = 2304, .tokens = 31}, random) &&
         same_product(kernels, {.form = 7, .rows = 20, .cols = 768, .tokens = 45}, random) &&
         // Two tiles of tokens, one and what is left; rows for two blocks and not full ones; more than a stretch.
         same_bf16_product(kernels, 37, 576, 53, random) && same_bf16_product(kernels, 16, 1056, 1, random);
}

}  // namespace madang
