// What the tests of kernels share: random numbers, random blocks, the tables this machine runs.
#pragma once
#include <cmath>
#include <cstring>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "kernels/tiled.h"
#include "support.h"
#include "tensor/half.h"

namespace madang::test {

inline std::vector<float> normals(Random& random, int64_t n, float size = 1) {
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = size * static_cast<float>(random.normal());
  return out;
}

// Sane float32 scales, zero points and e4m3 numbers in a block of a format of memory only (quant/grouped.h).
inline void moderate(Random& random, const Format& f, uint8_t* block) {
  const int code_bytes = f.bytes >= 32 ? 32 : 16, scales = f.group == 16 ? 2 : 1;
  if (f.name != "INT4_F16")
    for (int i = 0; i < scales; ++i) {
      const float scale = 0.01f * static_cast<float>(random.normal());
      std::memcpy(block + 4 * i, &scale, 4);
    }
  if (f.name == "INT4_F16" || f.name == "INT4") block[f.bytes - code_bytes - 1] %= 17;
  if (f.name == "INT8_ZERO") block[5] = 0;
  for (int i = 0; f.name == "FP8_E4M3" && i < 32; ++i)
    if ((block[4 + i] & 0x7F) == 0x7F) block[4 + i] ^= 1;  // not a number
}

// Random blocks whose half-float fields are finite and of moderate size.
inline std::vector<uint8_t> random_blocks(Random& random, const Format& f, int64_t rows, int64_t cols) {
  std::vector<uint8_t> bytes(static_cast<size_t>(rows * f.row_bytes(cols)));
  for (auto& b : bytes) b = static_cast<uint8_t>(random.bits());
  for (size_t at = 0; f.group && at < bytes.size(); at += static_cast<size_t>(f.bytes)) {
    uint8_t* b = bytes.data() + at;
    // Wherever the format keeps its float16 fields, a 2-byte field with a small exponent is harmless as anything else.
    if (f.name == "MXFP4") b[0] = static_cast<uint8_t>(110 + b[0] % 20);  // its scale is a whole byte of exponent
    for (int i = 0; i + 2 <= f.bytes; i += 2)
      if (b[i + 1] >= 0x40) b[i + 1] = static_cast<uint8_t>((b[i + 1] & 0x80) | 0x2C);
    if (!f.in_files()) moderate(random, f, b);
  }
  if (!f.group)
    for (size_t i = 0; i < bytes.size() / static_cast<size_t>(f.bytes); ++i) {
      const float x = static_cast<float>(random.normal());
      if (f.bytes == 4)
        std::memcpy(bytes.data() + 4 * i, &x, 4);
      else {
        uint16_t h = &f == &f16_format ? half_of_float(x) : bf16_of_float(x);
        std::memcpy(bytes.data() + 2 * i, &h, 2);
      }
    }
  return bytes;
}

inline std::vector<const Kernels*> tables() {
  std::vector<const Kernels*> all{&emulated_kernels(), &emulated_tiles_kernels()};
#if defined(__x86_64__)
  if (Cpu::detect().avx2) all.push_back(&avx2_kernels());
  if (Cpu::detect().avx512) all.push_back(&avx512_kernels());
  if (Cpu::detect().amx_int8) all.push_back(&amx_kernels());
#endif
  return all;
}

struct Int8 {
  std::vector<int8_t> code;
  std::vector<float> scale, low;
  std::vector<int32_t> less;
  Int8Rows rows;
  Int8(const Kernels& k, const float* x, int64_t n, int64_t cols)
      : rows{.rows = n, .cols = cols, .tile = k.int8_tile(n)} {
    const auto slots = static_cast<size_t>(rows.slots());
    code.resize(slots * 32), scale.resize(slots), low.resize(slots), less.resize(slots * 3);
    rows.code = code.data(), rows.scale = scale.data(), rows.low = low.data(), rows.less = less.data();
    k.to_int8(x, 0, n, rows);
  }
};

}  // namespace madang::test
