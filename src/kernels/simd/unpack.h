// Blocks of a weight to int8 codes, scales and minimums, or to float32, over the SIMD vocabulary V. Formats without a
// vector form here go through their own reader (quant/format.h): the result is the same, only slower.
#pragma once
#include <algorithm>

#include "kernels/table.h"
#include "quant/grouped.h"
#include "quant/k_quants.h"
#include "quant/lattice.h"
#include "quant/small_floats.h"
#include "tensor/half.h"

namespace madang::simd {

/// One row of a weight, unpacked.
struct UnpackedRow {
  int8_t* code;
  float *scale, *minimum;
};

// Helpers that are no templates are static: this header is compiled for several instruction sets, and an inline
// function would be shared between them. (Headers of lower floors are included before a set's region begins.)

template <class V>
struct Blocks {
  // Two bits of byte j of half h, plane p (of four), belong to element 128 h + 32 p + j; finish(codes, 4 h + p).
  template <class Finish>
  static void two_bit_planes(const uint8_t* q, int8_t* code, Finish finish) {
    for (int plane = 0; plane < 8; ++plane)
      V::store_bytes(code + 32 * plane,
                     finish(V::two_bits(V::load_bytes(q + 32 * (plane / 4)), 2 * (plane % 4), 0), plane));
  }

  // One block each: layouts are those of the headers in quant/.
  static void q4_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(field16(b));
    V::store_bytes(code, V::minus(V::nibbles(b + 2), 8));
  }
  static void q4_1(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    scale[0] = V::half(field16(b)), minimum[0] = -V::half(field16(b + 2));
    V::store_bytes(code, V::nibbles(b + 4));
  }
  static void q5_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(field16(b));
    V::store_bytes(code, V::minus(V::either(V::nibbles(b + 6), V::spread_bits(field32(b + 2), 16)), 16));
  }
  static void q5_1(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    scale[0] = V::half(field16(b)), minimum[0] = -V::half(field16(b + 2));
    V::store_bytes(code, V::either(V::nibbles(b + 8), V::spread_bits(field32(b + 4), 16)));
  }
  static void q8_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(field16(b));
    V::store_bytes(code, V::load_bytes(b + 2));
  }
  static void q2_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    const float d = V::half(field16(b + 80)), dmin = V::half(field16(b + 82));
    for (int g = 0; g < 16; ++g)
      scale[g] = d * static_cast<float>(b[g] & 15), minimum[g] = dmin * static_cast<float>(b[g] >> 4);
    two_bit_planes(b + 16, code, [](auto codes, int) { return codes; });
  }
  static void q3_k(const uint8_t* b, int8_t* code, float* scale, float*) {
    k_quants::q3_k_scales(b + 96, V::half(field16(b + 108)), scale);
    const auto third = V::load_bytes(b);
    two_bit_planes(b + 32, code,
                   [&](auto codes, int plane) { return V::minus(V::either(codes, V::one_bit(third, plane, 2)), 4); });
  }
  static void tq2_0(const uint8_t* b, int8_t* code, float* scale, float*) {
    std::fill_n(scale, 8, V::half(field16(b + 64)));
    two_bit_planes(b, code, [](auto codes, int) { return V::minus(codes, 1); });
  }
  static void iq4_nl(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(field16(b));
    V::store_bytes(code, V::look_up(lattice::iq4_levels, V::nibbles(b + 2)));
  }
  static void iq4_xs(const uint8_t* b, int8_t* code, float* scale, float*) {
    lattice::iq4_xs_scales(b, V::half(field16(b)), scale);
    for (int g = 0; g < 8; ++g)
      V::store_bytes(code + 32 * g, V::look_up(lattice::iq4_levels, V::nibbles(b + 8 + 16 * g)));
  }
  static void mxfp4(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = small_floats::half_e8m0(b[0]);
    V::store_bytes(code, V::look_up(small_floats::e2m1_doubled, V::nibbles(b + 1)));
  }
  static void q4_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    k_quants::six_bit_scales(b + 4, V::half(field16(b)), V::half(field16(b + 2)), scale, minimum);
    for (int i = 0; i < 4; ++i) {
      const auto both = V::load_bytes(b + 16 + 32 * i);
      V::store_bytes(code + 64 * i, V::low_nibbles(both));
      V::store_bytes(code + 64 * i + 32, V::high_nibbles(both));
    }
  }
  static void q5_k(const uint8_t* b, int8_t* code, float* scale, float* minimum) {
    k_quants::six_bit_scales(b + 4, V::half(field16(b)), V::half(field16(b + 2)), scale, minimum);
    const auto fifth = V::load_bytes(b + 16);
    for (int i = 0; i < 4; ++i) {
      const auto both = V::load_bytes(b + 48 + 32 * i);
      V::store_bytes(code + 64 * i, V::either(V::low_nibbles(both), V::one_bit(fifth, 2 * i, 4)));
      V::store_bytes(code + 64 * i + 32, V::either(V::high_nibbles(both), V::one_bit(fifth, 2 * i + 1, 4)));
    }
  }
  static void q6_k(const uint8_t* b, int8_t* code, float* scale, float*) {
    const float d = V::half(field16(b + 208));
    for (int i = 0; i < 16; ++i) scale[i] = d * static_cast<float>(static_cast<int8_t>(b[192 + i]));
    for (int half = 0; half < 2; ++half, code += 128) {
      const auto low = V::load_bytes(b + 64 * half), high = V::load_bytes(b + 64 * half + 32),
                 top = V::load_bytes(b + 128 + 32 * half);
      V::store_bytes(code, V::minus(V::either(V::low_nibbles(low), V::two_bits(top, 0, 4)), 32));
      V::store_bytes(code + 32, V::minus(V::either(V::low_nibbles(high), V::two_bits(top, 2, 4)), 32));
      V::store_bytes(code + 64, V::minus(V::either(V::high_nibbles(low), V::two_bits(top, 4, 4)), 32));
      V::store_bytes(code + 96, V::minus(V::either(V::high_nibbles(high), V::two_bits(top, 6, 4)), 32));
    }
  }
};

/// Formats of memory only (quant/grouped.h): their exact values have another form than their codes.
template <class V>
struct Grouped {
  // Codes less the zero point, one scale.
  static void int4_f16(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = V::half(field16(b));
    V::store_bytes(code, V::minus(V::nibbles(b + 3), static_cast<int8_t>(b[2])));
  }
  static void int4(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = grouped::float_field(b);
    V::store_bytes(code, V::minus(V::nibbles(b + 5), static_cast<int8_t>(b[4])));
  }
  static void int8(const uint8_t* b, int8_t* code, float* scale, float*) {
    scale[0] = grouped::float_field(b);
    V::store_bytes(code, V::load_bytes(b + 4));
  }

  // Thirty-two values of a block, before the scale, eight at a time: value(codes, i).
  template <int bytes, class Value>
  static void rows(const Weight& w, int64_t row, float* out, Value value) {
    const uint8_t* p = w.row(row);
    for (int64_t at = 0; at < w.cols; at += 32, p += bytes) {
      const auto scale = V::set(grouped::float_field(p));
      for (int i = 0; i < 32; i += 8) V::store(out + at + i, V::mul(value(p, i), scale));
    }
  }
  template <const float (&levels)[16]>
  static void level4(const Weight& w, int64_t row, float* out) {
    int8_t code[32];
    rows<20>(w, row, out, [&](const uint8_t* p, int i) {
      if (i == 0) V::store_bytes(code, V::nibbles(p + 4));
      return V::look_up_floats(levels, code + i);
    });
  }
  static void fp8(const Weight& w, int64_t row, float* out) {
    rows<36>(w, row, out, [](const uint8_t* p, int i) { return V::load_e4m3(p + 4 + i); });
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

/// The same to float32: value = scale * code - minimum, the product rounded before the subtraction as formats define
/// it.
template <class V, auto read, int block, int bytes, int group, bool minimums>
void decode_row_of(const Weight& w, int64_t row, float* out) {
  const uint8_t* p = w.row(row);
  int8_t code[block];
  float scale[block / group], minimum[block / group];
  for (int64_t at = 0; at < w.cols; at += block, p += bytes) {
    read(p, code, scale, minimum);
    for (int i = 0; i < block; i += 8) {
      const auto product = V::mul(V::set(scale[i / group]), V::load_i8(code + i));
      V::store(out + at + i, minimums ? V::sub(product, V::set(minimum[i / group])) : product);
    }
  }
}

template <class V, auto load>
void widen_row(const Weight& w, int64_t row, float* out) {
  const auto* p = reinterpret_cast<const uint16_t*>(w.row(row));
  int64_t i = 0;
  for (; i + 8 <= w.cols; i += 8) V::store(out + i, load(p + i));
  if (i < w.cols) w.format->decode(w.row(row) + 2 * i, w.cols - i, out + i);
}

/// A row by the format's own decoder.
static inline void decode_row(const Weight& w, int64_t row, float* out) { w.format->decode(w.row(row), w.cols, out); }

struct RowForms {
  RowReader read = read_row;                                              ///< to codes, scales and minimums
  void (*decode)(const Weight& w, int64_t row, float* out) = decode_row;  ///< to float32
};

template <class V>
RowForms row_forms(const Format& format) {
  auto of = []<auto read, int block, int bytes, int group, bool minimums = false>() {
    return RowForms{read_row_of<read, block, bytes, group>, decode_row_of<V, read, block, bytes, group, minimums>};
  };
  switch (format.gguf_type) {  // ids and sizes of quant/formats.cpp
    case grouped::int4_f16_id:
      return of.template operator()<Grouped<V>::int4_f16, 32, 19, 32>();
    case grouped::int4_id:
      return of.template operator()<Grouped<V>::int4, 32, 21, 32>();
    case grouped::int8_id:
      return of.template operator()<Grouped<V>::int8, 32, 36, 32>();
    case grouped::nf4_id:
      return {read_row, Grouped<V>::template level4<grouped::nf4_levels>};
    case grouped::fp4_id:
      return {read_row, Grouped<V>::template level4<grouped::fp4_levels>};
    case grouped::fp8_id:
      return {read_row, Grouped<V>::fp8};
    case 1:
      return {read_row, widen_row<V, V::load_half>};
    case 2:
      return of.template operator()<Blocks<V>::q4_0, 32, 18, 32>();
    case 3:
      return of.template operator()<Blocks<V>::q4_1, 32, 20, 32, true>();
    case 6:
      return of.template operator()<Blocks<V>::q5_0, 32, 22, 32>();
    case 7:
      return of.template operator()<Blocks<V>::q5_1, 32, 24, 32, true>();
    case 8:
      return of.template operator()<Blocks<V>::q8_0, 32, 34, 32>();
    case 10:
      return of.template operator()<Blocks<V>::q2_k, 256, 84, 16, true>();
    case 11:
      return of.template operator()<Blocks<V>::q3_k, 256, 110, 16>();
    case 12:
      return of.template operator()<Blocks<V>::q4_k, 256, 144, 32, true>();
    case 13:
      return of.template operator()<Blocks<V>::q5_k, 256, 176, 32, true>();
    case 14:
      return of.template operator()<Blocks<V>::q6_k, 256, 210, 16>();
    case 20:
      return of.template operator()<Blocks<V>::iq4_nl, 32, 18, 32>();
    case 23:
      return of.template operator()<Blocks<V>::iq4_xs, 256, 136, 32>();
    case 30:
      return {read_row, widen_row<V, V::load_bf16>};
    case 35:
      return of.template operator()<Blocks<V>::tq2_0, 256, 66, 32>();
    case 39:
      return of.template operator()<Blocks<V>::mxfp4, 32, 17, 32>();
    default:
      return {};
  }
}

}  // namespace madang::simd
