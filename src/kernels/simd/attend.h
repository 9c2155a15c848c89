// Attention over the SIMD vocabulary V: the order of ref/attend.cpp, a block of keys decoded once for all queries and
// heads that share it. And how keys and values are stored.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/simd/elements.h"

namespace madang::simd {

template <class V>
void kv_decode(KvType type, const std::byte* in, int64_t dim, float* out) {
  const auto* halves = reinterpret_cast<const uint16_t*>(in);
  if (type == KvType::f32) {
    std::memcpy(out, in, static_cast<size_t>(dim) * 4);
    return;
  }
  if (dim % 8 != 0) return ref_kernels.kv_decode(type, in, dim, out);
  const auto* codes = reinterpret_cast<const int8_t*>(in + (dim + 31) / 32 * 2);
  for (int64_t i = 0; i < dim; i += 8) {
    if (type == KvType::f16)
      V::store(out + i, V::load_half(halves + i));
    else if (type == KvType::bf16)
      V::store(out + i, V::load_bf16(halves + i));
    else
      V::store(out + i, V::mul(V::set(float_of_half(halves[i / 32])), V::load_i8(codes + i)));
  }
}

// What one query head has gathered so far; its weighted values stand in the output.
struct Gathered {
  float largest = -std::numeric_limits<float>::infinity(), sum = 0;
};

// One query head against keys [low, high) of one decoded block; `bias` (or null) is the block's.
template <class V>
void attend_block(const AttendTask& task, const float* query, const float* keys, const float* values, const float* bias,
                  int64_t low, int64_t high, Gathered& g, float* out) {
  const int64_t dim = task.value_dim;
  float score[kv_block];
  for (int64_t j = low; j < high; ++j) score[j] = task.scale * dot<V>(query, keys + j * task.key_dim, task.key_dim);
  if (task.softcap > 0)
    pieces(high - low, [&](int64_t i, int64_t k) {
      const auto cap = V::set(task.softcap);
      V::store_n(score + low + i, V::mul(cap, tanh<V>(V::div(V::load_n(score + low + i, k), cap))), k);
    });
  for (int64_t j = low; bias && j < high; ++j) score[j] += bias[j];
  // Lanes are counted from the block's start, so what a window hides counts as zero.
  float shown[kv_block] = {};
  const float top = std::max(g.largest, largest_of<V>(score + low, high - low));
  for (int64_t j = low & ~int64_t{7}; j < high; j += 8) {
    float piece[8];
    for (int64_t i = 0; i < 8; ++i)
      piece[i] = j + i >= low && j + i < high ? score[j + i] - top : -100.0f;  // exp gives 0
    V::store(shown + j, exp<V>(V::load(piece)));
  }
  auto part = V::zero();
  for (int64_t j = 0; j < kv_block; j += 8) part = V::add(part, V::load(shown + j));
  const float shrink = g.largest == top ? 1.0f : std::exp(g.largest - top);
  g.sum = std::fma(g.sum, shrink, V::fold(part));
  g.largest = top;
  for (int64_t d = 0; d < dim; d += 32) {  // four registers of the output stay while the keys go by
    const int64_t wide = std::min<int64_t>(4, (dim - d + 7) / 8);
    typename V::F acc[4];
    for (int64_t i = 0; i < wide; ++i) acc[i] = V::mul(V::load_n(out + d + 8 * i, dim - d - 8 * i), V::set(shrink));
    for (int64_t j = low; j < high; ++j) {
      const auto p = V::set(shown[j]);
      for (int64_t i = 0; i < wide; ++i)
        acc[i] = V::fma(p, V::load_n(values + j * dim + d + 8 * i, dim - d - 8 * i), acc[i]);
    }
    for (int64_t i = 0; i < wide; ++i) V::store_n(out + d + 8 * i, acc[i], std::min<int64_t>(8, dim - d - 8 * i));
  }
}

template <class V>
void attend(const AttendTask& task) {
  std::vector<float> keys(static_cast<size_t>(kv_block * task.key_dim)),
      values(static_cast<size_t>(kv_block * task.value_dim));
  std::vector<Gathered> gathered(static_cast<size_t>(task.n * task.heads));
  for (int64_t i = 0; i < task.n; ++i) std::fill_n(task.out + i * task.out_stride, task.heads * task.value_dim, 0.0f);
  auto first_key = [&](int64_t i) {
    return task.window > 0 ? std::max<int64_t>(0, task.first + i - task.window + 1) : 0;
  };
  const int64_t last = task.first + task.n;
  for (int64_t block = first_key(0) / kv_block; block * kv_block < last; ++block) {
    const int64_t start = block * kv_block, held = std::min(kv_block, last - start);
    const std::byte* key = task.kv.keys[block - task.kv.first_block] + task.kv.key_head;
    const std::byte* value = task.kv.values[block - task.kv.first_block] + task.kv.value_head;
    for (int64_t j = std::max<int64_t>(0, first_key(0) - start); j < held; ++j) {
      kv_decode<V>(task.kv.type, key + j * task.kv.key_row, task.key_dim, keys.data() + j * task.key_dim);
      kv_decode<V>(task.kv.type, value + j * task.kv.value_row, task.value_dim, values.data() + j * task.value_dim);
    }
    for (int64_t i = std::max<int64_t>(0, start - task.first); i < task.n; ++i) {
      const int64_t low = std::max<int64_t>(0, first_key(i) - start),
                    high = std::min(kv_block, task.first + i + 1 - start);
      if (low >= high) continue;
      for (int h = 0; h < task.heads; ++h)
        attend_block<V>(task, task.query + i * task.query_stride + h * task.key_dim, keys.data(), values.data(),
                        task.bias ? task.bias + h * task.bias_stride + start : nullptr, low, high,
                        gathered[static_cast<size_t>(i * task.heads + h)],
                        task.out + i * task.out_stride + h * task.value_dim);
    }
  }
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) {
      const Gathered& g = gathered[static_cast<size_t>(i * task.heads + h)];
      float* out = task.out + i * task.out_stride + h * task.value_dim;
      pieces(task.value_dim,
             [&](int64_t d, int64_t k) { V::store_n(out + d, V::div(V::load_n(out + d, k), V::set(g.sum)), k); });
      if (task.log_sum) task.log_sum[i * task.log_sum_stride + h] = g.largest + std::log(g.sum);
    }
}

}  // namespace madang::simd
