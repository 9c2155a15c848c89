// A block format is a way to write small integers that share a scale and a minimum:
//
//     value = scale * code - minimum
//
// with one scale (and minimum) for each group of 16 or 32 weights. Every quantized GGUF type is this, the lattice
// types (IQ*) and float4 types too, once their tables are looked up. So a format has one reader, codes(), and both
// the exact float32 value and the int8 kernels follow from it. Plain floats (F32, F16, BF16) have none. Formats that
// are made in memory from other checkpoints (grouped.h) read their exact values apart from their codes.
//
// formats.cpp lists all formats, one row each; the headers beside this file hold their layouts and sources.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace madang {

struct Format {
  std::string_view name;  ///< as files and people write it: "Q4_K", "F16"
  int gguf_type;          ///< id in GGUF files; below zero for formats of memory only (grouped.h)
  int block;              ///< weights in one block (1 for plain floats)
  int bytes;              ///< bytes in one block
  int group;              ///< weights that share a scale: 16 or 32; 0 for plain floats
  bool has_minimum;       ///< minimums may differ from zero

  /// Reads one block: code[block], scale[block / group], minimum[block / group] (written only if has_minimum).
  /// Null for plain floats.
  void (*codes)(const uint8_t* block, int8_t* code, float* scale, float* minimum);
  /// n values (a multiple of `block`) from consecutive blocks, as float32: bit for bit what the reference's decoder
  /// (ggml's, or that of the scheme) gives, products rounded before the subtraction.
  void (*decode)(const uint8_t* blocks, int64_t n, float* values);

  int64_t row_bytes(int64_t n) const { return n / block * bytes; }
  bool in_files() const { return gguf_type >= 0; }  ///< a file can hold it
};

/// All formats, in a fixed order.
std::span<const Format> formats();
const Format* format_by_gguf_type(int64_t type);      ///< null if unknown
const Format* format_by_name(std::string_view name);  ///< null if unknown; upper or lower case

extern const Format& f32_format;
extern const Format& f16_format;
extern const Format& bf16_format;

}  // namespace madang
