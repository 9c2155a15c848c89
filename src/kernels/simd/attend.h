// Attention over the SIMD vocabulary V and, for its products, the wider registers of the panel vocabulary P: the order
// of ref/attend.cpp, a block of keys decoded once for all queries and heads that share it, or, where few do, on its way
// into the products. And how keys and values are stored.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels/simd/elements.h"
#include "kernels/simd/unroll.h"

namespace madang::simd {

template <class V>
void kv_decode(KvType type, const std::byte* in, int64_t dim, float* out) {
  if (type == KvType::f32) {
    std::memcpy(out, in, static_cast<size_t>(dim) * 4);
    return;
  }
  if (dim % 8 != 0) return ref_kernels.kv_decode(type, in, dim, out);
  const auto* halves = reinterpret_cast<const uint16_t*>(in);
  auto by_eights = [&](auto load) {
    for (int64_t i = 0; i < dim; i += 8) V::store(out + i, load(i));
  };
  if (type == KvType::f16) return by_eights([&](int64_t i) { return V::load_half(halves + i); });
  if (type == KvType::bf16) return by_eights([&](int64_t i) { return V::load_bf16(halves + i); });
  const auto* codes = reinterpret_cast<const int8_t*>(in + (dim + 31) / 32 * 2);
  by_eights([&](int64_t i) { return V::mul(V::set(V::half(halves[i / 32])), V::load_i8(codes + i)); });
}

// Rows [from, to) of a block's values, side by side where they lie so.
template <class V>
void decoded_values(const AttendTask& task, const std::byte* value, int64_t from, int64_t to, float* out) {
  const int64_t dim = task.value_dim, row = task.kv.value_row;
  if (task.kv.type != KvType::q8 && row == kv_head_bytes(task.kv.type, dim))
    return kv_decode<V>(task.kv.type, value + from * row, (to - from) * dim, out + from * dim);
  for (int64_t j = from; j < to; ++j) kv_decode<V>(task.kv.type, value + j * row, dim, out + j * dim);
}

template <class V>
void kv_encode(KvType type, const float* x, int64_t dim, std::byte* out) {
  if (type != KvType::f16 || dim % 8 != 0) return ref_kernels.kv_encode(type, x, dim, out);
  for (int64_t i = 0; i < dim; i += 8) V::store_half(reinterpret_cast<uint16_t*>(out) + i, V::load(x + i));
}

// Keys of one block, transposed: number d of key j at d * kv_block + j. Rows outside [first, held) are left as they
// are; `rows` holds eight of them.
template <class V>
void transposed_keys(const AttendTask& task, const std::byte* key, int64_t first, int64_t held, float* rows,
                     float* out) {
  const int64_t dim = task.key_dim;
  for (int64_t j = first & ~int64_t{7}; j < held; j += 8) {
    const int64_t from = std::max<int64_t>(first - j, 0), to = std::min<int64_t>(8, held - j);
    for (int64_t i = from; i < to; ++i)
      kv_decode<V>(task.kv.type, key + (j + i) * task.kv.key_row, dim, rows + i * dim);
    int64_t d = 0;
    for (; d + 8 <= dim; d += 8) V::transpose(rows + d, dim, out + d * kv_block + j, kv_block);
    for (; d < dim; ++d)
      for (int64_t i = 0; i < 8; ++i) out[d * kv_block + j + i] = rows[i * dim + d];
  }
}

// A block as products read it. Decoded: keys transposed, values row by row.
template <class P>
struct DecodedBlock {
  const float *keys, *values;
  int64_t dim;  // of a value

  typename P::F key(int64_t d, int64_t j) const { return P::load(keys + d * kv_block + j); }
  typename P::F value(int64_t j, int64_t d, int64_t n) const {
    const float* p = values + j * dim + d;
    return n >= P::lanes ? P::load(p) : P::load_n(p, n);
  }
};

// As it is kept in float16, keys by columns; values of whole registers.
template <class P>
struct HalfBlock {
  const uint8_t *keys, *values;
  int64_t row;  // bytes from one value to the next

  explicit HalfBlock(const AttendTask& task, const std::byte* key, const std::byte* value)
      : keys(reinterpret_cast<const uint8_t*>(key)),
        values(reinterpret_cast<const uint8_t*>(value)),
        row(task.kv.value_row) {}
  static bool holds(const AttendTask& task) {
    return task.kv.type == KvType::f16 && task.kv.columns && task.value_dim % P::lanes == 0;
  }
  typename P::F key(int64_t d, int64_t j) const { return P::load_half(keys + 2 * (d * kv_block + j)); }
  typename P::F value(int64_t j, int64_t d, int64_t n) const {
    return n > 0 ? P::load_half(values + j * row + 2 * d) : P::zero();
  }
};

// One query head in one block: it sees keys [low, high). What it has gathered of the span so far stands here, its
// weighted values in the part.
struct AttendRow {
  const float* query;
  float* out;
  const float* bias;  // of this block's keys, or null
  int64_t low, high;
  float top, sum;
};

// Scores of R query heads against the first `held` keys: a lane is a key, so a score is one chain over the head's
// numbers, in order, whoever stands beside it.
template <class P, int R, class Block>
static void scores(const AttendTask& task, const AttendRow* const* rows, const Block& block, int64_t held,
                   float (*score)[kv_block]) {
  constexpr int wide = P::wide;
  for (int64_t j = 0; j < held; j += wide * P::lanes) {
    typename P::F acc[R][wide];
    each_of<R>([&](auto r) { each_of<wide>([&](auto i) { acc[r][i] = P::zero(); }); });
    for (int64_t d = 0; d < task.key_dim; ++d) {
      typename P::F key[wide];
      each_of<wide>([&](auto i) { key[i] = block.key(d, j + i * P::lanes); });
      each_of<R>([&](auto r) {
        const auto q = P::set(rows[r]->query[d]);
        each_of<wide>([&](auto i) { acc[r][i] = P::fma(q, key[i], acc[r][i]); });
      });
    }
    each_of<R>([&](auto r) {
      each_of<wide>([&](auto i) { P::store(score[r] + j + i * P::lanes, P::mul(acc[r][i], P::set(task.scale))); });
    });
  }
}

// The scores of one row as they are weighted, -infinity where it does not see; returns what is taken from them before
// exp: what it was so far, if that will do.
template <class V>
float seen_scores(const AttendTask& task, const AttendRow& row, float* score) {
  const int64_t low = row.low & ~int64_t{7}, high = (row.high + 7) & ~int64_t{7};
  if (task.softcap > 0)
    for (int64_t j = low; j < high; j += 8) {
      const auto cap = V::set(task.softcap);
      V::store(score + j, V::mul(cap, tanh<V>(V::div(V::load(score + j), cap))));
    }
  for (int64_t j = row.low; row.bias && j < row.high; ++j) score[j] += row.bias[j];
  std::fill(score + low, score + row.low, -std::numeric_limits<float>::infinity());
  std::fill(score + row.high, score + high, -std::numeric_limits<float>::infinity());
  const float largest = largest_of<V>(score + low, high - low);
  return largest > row.top + kv_slack ? largest : row.top;
}

// Scores of one row to weights exp(score - top), zero where it does not see; returns what the output shrinks by.
template <class V>
float weights(AttendRow& row, float top, float* score) {
  const int64_t low = row.low & ~int64_t{7}, high = (row.high + 7) & ~int64_t{7};
  auto part = V::zero();  // lanes are counted from the block's start
  for (int64_t j = low; j < high; j += 8) {
    const auto shown = exp<V>(V::sub(V::load(score + j), V::set(top)));
    V::store(score + j, shown);
    part = V::add(part, shown);
  }
  const float shrink = row.top == top || row.sum == 0 ? 1.0f : std::exp(row.top - top);
  row.sum = std::fma(row.sum, shrink, V::fold(part));
  row.top = top;
  return shrink;
}

// out += weight * value over keys [low, high), in order, for R rows.
template <class P, int R, class Block>
static void weighted(const AttendTask& task, AttendRow* const* rows, const float (*weight)[kv_block],
                     const Block& block, int64_t low, int64_t high) {
  constexpr int wide = P::wide;
  const int64_t dim = task.value_dim;
  if (low >= high) return;
  for (int64_t d = 0; d < dim; d += wide * P::lanes) {
    auto left = [&](int i) { return std::max<int64_t>(0, dim - d - i * P::lanes); };
    typename P::F acc[R][wide];
    each_of<R>([&](auto r) {
      each_of<wide>([&](auto i) { acc[r][i] = P::load_n(rows[r]->out + d + i * P::lanes, left(i)); });
    });
    auto go = [&](auto length) {
      for (int64_t j = low; j < high; ++j) {
        typename P::F value[wide];
        each_of<wide>([&](auto i) { value[i] = block.value(j, d + i * P::lanes, length(i)); });
        each_of<R>([&](auto r) {
          const auto p = P::set(weight[r][j]);
          each_of<wide>([&](auto i) { acc[r][i] = P::fma(p, value[i], acc[r][i]); });
        });
      }
    };
    if (d + wide * P::lanes <= dim)
      go([](int) { return int64_t{P::lanes}; });
    else
      go(left);
    each_of<R>([&](auto r) {
      each_of<wide>([&](auto i) { P::store_n(rows[r]->out + d + i * P::lanes, acc[r][i], left(i)); });
    });
  }
}

// R query heads against one decoded block.
template <class V, class P, int R, class Block>
static void attend_rows(const AttendTask& task, AttendRow* const* rows, const Block& block, int64_t held) {
  alignas(64) float score[R][kv_block];
  scores<P, R>(task, rows, block, held, score);
  int64_t low = 0, high = kv_block;  // what all of them see
  float top[R];
  for (int r = 0; r < R; ++r) top[r] = seen_scores<V>(task, *rows[r], score[r]);
  for (int r = 0; r < R; ++r) {
    const float shrink = weights<V>(*rows[r], top[r], score[r]);
    if (shrink != 1.0f)
      pieces(task.value_dim, [&](int64_t d, int64_t k) {
        V::store_n(rows[r]->out + d, V::mul(V::load_n(rows[r]->out + d, k), V::set(shrink)), k);
      });
    low = std::max(low, rows[r]->low), high = std::min(high, rows[r]->high);
  }
  high = std::max(low, high);
  // A key that only some of the rows see is theirs alone: nothing hidden may touch a row, were it infinite.
  for (int r = 0; r < R; ++r)
    weighted<P, 1>(task, rows + r, score + r, block, rows[r]->low, std::min(low, rows[r]->high));
  weighted<P, R>(task, rows, score, block, low, high);
  for (int r = 0; r < R; ++r)
    weighted<P, 1>(task, rows + r, score + r, block, std::max(high, rows[r]->low), rows[r]->high);
}

// Rows that meet a block together. Times P::wide sums, and the values and the weight: as many as there are registers.
inline constexpr int rows_together = 6;

template <class V, class P, class Block>
void attend_block(const AttendTask& task, std::vector<AttendRow*>& rows, const Block& block, int64_t held) {
  constexpr int most = rows_together;
  AttendRow* const* at = rows.data();
  size_t left = rows.size();
  for (; left >= most; left -= most, at += most) attend_rows<V, P, most>(task, at, block, held);
  each_of<most - 1>([&](auto r) {
    if (left == r + 1) attend_rows<V, P, r + 1>(task, at, block, held);
  });
}

template <class V, class P>
void attend(const AttendTask& task, int64_t span, const AttendPart& part) {
  std::unique_ptr<float[]> memory;  // a block, decoded
  std::vector<AttendRow> all;
  all.reserve(static_cast<size_t>(task.n * task.heads));
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) {
      std::fill_n(part.row(task, i, h), task.value_dim, 0.0f);
      all.push_back({task.query + i * task.query_stride + h * task.key_dim, part.row(task, i, h), nullptr, 0, 0,
                     -std::numeric_limits<float>::infinity(), 0});
    }
  std::vector<AttendRow*> rows;
  const int64_t first = std::max(task.first_key(0), span * kv_span),
                last = std::min(task.first + task.n, (span + 1) * kv_span);
  for (int64_t block = first / kv_block; block * kv_block < last; ++block) {
    const int64_t start = block * kv_block, held = std::min(kv_block, last - start);
    rows.clear();
    for (int64_t i = std::max<int64_t>(0, start - task.first); i < task.n; ++i)
      for (int h = 0; h < task.heads; ++h) {
        AttendRow& row = all[static_cast<size_t>(i * task.heads + h)];
        row.low = std::max<int64_t>(0, task.first_key(i) - start);
        row.high = std::min(kv_block, task.first + i + 1 - start);
        row.bias = task.bias ? task.bias + h * task.bias_stride + start : nullptr;
        if (row.low < row.high && !task.blocks.hides(task.first + i, h, start)) rows.push_back(&row);
      }
    if (rows.empty()) continue;
    const std::byte* value = task.kv.values[block - task.kv.first_block] + task.kv.value_head;
    const int64_t seen = std::max<int64_t>(0, task.first_key(0) - start);
    const std::byte* key = task.kv.keys[block - task.kv.first_block] + task.kv.key_head;
    if (rows.size() <= 2 * rows_together && HalfBlock<P>::holds(task)) {
      attend_block<V, P>(task, rows, HalfBlock<P>(task, key, value), held);
      continue;
    }
    const int64_t key_numbers = kv_block * task.key_dim, value_numbers = kv_block * task.value_dim;
    if (!memory)
      memory =
          std::make_unique_for_overwrite<float[]>(static_cast<size_t>(key_numbers + value_numbers + 8 * task.key_dim));
    float *keys = memory.get(), *values = keys + key_numbers, *scratch = values + value_numbers;
    if (task.kv.columns)
      kv_decode<V>(task.kv.type, key, key_numbers, keys);
    else
      transposed_keys<V>(task, key, seen, held, scratch, keys);
    decoded_values<V>(task, value, seen, held, values);
    attend_block<V, P>(task, rows, DecodedBlock<P>{keys, values, task.value_dim}, held);
  }
  for (size_t r = 0; r < all.size(); ++r) part.top[r] = all[r].top, part.sum[r] = all[r].sum;
}

template <class V>
void attend_join(const AttendTask& task, const AttendPart& all, const AttendPart& next) {
  pieces(task.n * task.heads, [&](int64_t row, int64_t rows) {
    const auto before = V::load_n(all.top + row, rows), after = V::load_n(next.top + row, rows);
    const auto top = V::max(before, after), finite = V::max(top, V::set(std::numeric_limits<float>::lowest()));
    const auto mine = exp<V>(V::sub(before, finite)), others = exp<V>(V::sub(after, finite));
    const auto sum = V::mul(V::load_n(all.sum + row, rows), mine);
    V::store_n(all.sum + row, V::add(sum, V::mul(V::load_n(next.sum + row, rows), others)), rows);
    V::store_n(all.top + row, top, rows);
    float keep[8], more[8];
    V::store(keep, mine), V::store(more, others);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t query = (row + i) / task.heads, head = (row + i) % task.heads;
      float *to = all.row(task, query, head), *from = next.row(task, query, head);
      pieces(task.value_dim, [&](int64_t d, int64_t k) {
        const auto own = V::mul(V::load_n(to + d, k), V::set(keep[i]));
        V::store_n(to + d, V::add(own, V::mul(V::load_n(from + d, k), V::set(more[i]))), k);
      });
    }
  });
}

template <class V>
void attend_end(const AttendTask& task, const AttendPart& all) {
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) {
      const int64_t row = i * task.heads + h;
      float* out = all.row(task, i, h);
      pieces(task.value_dim, [&](int64_t d, int64_t k) {
        V::store_n(out + d, V::div(V::load_n(out + d, k), V::set(all.sum[row])), k);
      });
      if (task.log_sum) task.log_sum[i * task.log_sum_stride + h] = all.top[row] + std::log(all.sum[row]);
    }
}

}  // namespace madang::simd
