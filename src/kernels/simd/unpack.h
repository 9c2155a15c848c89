// Blocks of a weight to int8 codes, scales and minimums, or to float32, over the SIMD vocabulary V. Formats without a
// vector form here go through their own reader (quant/format.h): the result is the same, only slower.
#pragma once
#include <cstring>

#include "kernels/table.h"
#include "tensor/half.h"

namespace madang::simd {

/// One row of a weight, unpacked.
struct UnpackedRow {
  int8_t* code;
  float *scale, *minimum;
};

static inline uint16_t read16(const uint8_t* p) { uint16_t h; std::memcpy(&h, p, 2); return h; }
static inline uint32_t read32(const uint8_t* p) { uint32_t w; std::memcpy(&w, p, 4); return w; }

// The eight six-bit scales and minimums of Q4_K and Q5_K (ggml: get_scale_min_k4).
static inline void k_scales(const uint8_t* p, float d, float dmin, float* scale, float* minimum) {
  for (int j = 0; j < 8; ++j) {
    int s = j < 4 ? p[j] & 63 : (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
    int m = j < 4 ? p[j + 4] & 63 : (p[j + 4] >> 4) | (p[j] >> 6) << 4;
    scale[j] = d * static_cast<float>(s), minimum[j] = dmin * static_cast<float>(m);
  }
}

// (Helpers that are no templates are static: this header is compiled for several instruction sets, and an inline
// function would be shared between them.)

template <class V>
struct Blocks {
  // One block each: layouts are those of the headers in quant/.
  static void q4_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(read16(b));
    V::store_bytes(code, V::minus(V::nibbles(b + 2), 8));
  }
  static void q4_1(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    scale[0] = V::half(read16(b)), minimum[0] = -V::half(read16(b + 2));
    V::store_bytes(code, V::nibbles(b + 4));
  }
  static void q5_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(read16(b));
    V::store_bytes(code, V::minus(V::either(V::nibbles(b + 6), V::spread_bits(read32(b + 2), 16)), 16));
  }
  static void q5_1(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    scale[0] = V::half(read16(b)), minimum[0] = -V::half(read16(b + 2));
    V::store_bytes(code, V::either(V::nibbles(b + 8), V::spread_bits(read32(b + 4), 16)));
  }
  static void q8_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(read16(b));
    V::store_bytes(code, V::load_bytes(b + 2));
  }
  static void q4_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    k_scales(b + 4, V::half(read16(b)), V::half(read16(b + 2)), scale, minimum);
    for (int i = 0; i < 4; ++i) {
      const auto both = V::load_bytes(b + 16 + 32 * i);
      V::store_bytes(code + 64 * i, V::low_nibbles(both));
      V::store_bytes(code + 64 * i + 32, V::high_nibbles(both));
    }
  }
  static void q5_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    k_scales(b + 4, V::half(read16(b)), V::half(read16(b + 2)), scale, minimum);
    const auto fifth = V::load_bytes(b + 16);
    for (int i = 0; i < 4; ++i) {
      const auto both = V::load_bytes(b + 48 + 32 * i);
      V::store_bytes(code + 64 * i, V::either(V::low_nibbles(both), V::one_bit(fifth, 2 * i, 4)));
      V::store_bytes(code + 64 * i + 32, V::either(V::high_nibbles(both), V::one_bit(fifth, 2 * i + 1, 4)));
    }
  }
  static void q6_k(const uint8_t* b, int8_t* code, float* scale, float*) {
    const float d = V::half(read16(b + 208));
    for (int i = 0; i < 16; ++i) scale[i] = d * static_cast<float>(static_cast<int8_t>(b[192 + i]));
    for (int half = 0; half < 2; ++half, code += 128) {
      const auto low = V::load_bytes(b + 64 * half), high = V::load_bytes(b + 64 * half + 32), top = V::load_bytes(b + 128 + 32 * half);
      V::store_bytes(code, V::minus(V::either(V::low_nibbles(low), V::two_bits(top, 0, 4)), 32));
      V::store_bytes(code + 32, V::minus(V::either(V::low_nibbles(high), V::two_bits(top, 2, 4)), 32));
      V::store_bytes(code + 64, V::minus(V::either(V::high_nibbles(low), V::two_bits(top, 4, 4)), 32));
      V::store_bytes(code + 96, V::minus(V::either(V::high_nibbles(high), V::two_bits(top, 6, 4)), 32));
    }
  }
};

using RowReader = void (*)(const Weight& w, int64_t row, UnpackedRow out);

/// A row by the format's own reader.
static inline void read_row(const Weight& w, int64_t row, UnpackedRow out) {
  const Format& f = *w.format;
  const uint8_t* block = w.row(row);
  for (int64_t i = 0; i < w.cols / f.block; ++i, block += f.bytes)
    f.codes(block, out.code + i * f.block, out.scale + i * (f.block / f.group), out.minimum + i * (f.block / f.group));
}

/// A row by a vector reader that is known here, so that it is inlined into the loop.
template <auto read, int block, int bytes, int group>
void read_row_of(const Weight& w, int64_t row, UnpackedRow out) {
  const uint8_t* p = w.row(row);
  for (int64_t i = 0; i < w.cols / block; ++i, p += bytes)
    read(p, out.code + i * block, out.scale + i * (block / group), out.minimum + i * (block / group));
}

template <class V>
RowReader row_reader(const Format& format) {
  switch (format.gguf_type) {  // ids of quant/formats.cpp
    case 2: return read_row_of<Blocks<V>::q4_0, 32, 18, 32>;
    case 3: return read_row_of<Blocks<V>::q4_1, 32, 20, 32>;
    case 6: return read_row_of<Blocks<V>::q5_0, 32, 22, 32>;
    case 7: return read_row_of<Blocks<V>::q5_1, 32, 24, 32>;
    case 8: return read_row_of<Blocks<V>::q8_0, 32, 34, 32>;
    case 12: return read_row_of<Blocks<V>::q4_k, 256, 144, 32>;
    case 13: return read_row_of<Blocks<V>::q5_k, 256, 176, 32>;
    case 14: return read_row_of<Blocks<V>::q6_k, 256, 210, 16>;
    default: return read_row;
  }
}

/// value = scale * code - minimum, the product rounded before the subtraction as the formats define it.
template <class V>
void decode_row(const Weight& w, int64_t row, float* out) {
  const Format& f = *w.format;
  const uint8_t* block = w.row(row);
  if (&f == &f16_format || &f == &bf16_format) {
    int64_t i = 0;
    for (; i + 8 <= w.cols; i += 8) {
      const auto* p = reinterpret_cast<const uint16_t*>(block + 2 * i);
      V::store(out + i, &f == &f16_format ? V::load_half(p) : V::load_bf16(p));
    }
    if (i < w.cols) f.decode(block + 2 * i, w.cols - i, out + i);
    return;
  }
  if (!f.codes) return f.decode(block, w.cols, out);
  // A block at a time through the row reader: the whole row's codes need not be kept.
  const RowReader read = row_reader<V>(f);
  int8_t code[256];
  float scale[16], minimum[16] = {};
  for (int64_t at = 0; at < w.cols; at += f.block, block += f.bytes) {
    read({&f, block, 1, f.block, nullptr}, 0, {code, scale, minimum});
    for (int i = 0; i < f.block; i += 8) {
      const auto product = V::mul(V::set(scale[i / f.group]), V::load_i8(code + i));
      V::store(out + at + i, f.has_minimum ? V::sub(product, V::set(minimum[i / f.group])) : product);
    }
  }
}

}  // namespace madang::simd
