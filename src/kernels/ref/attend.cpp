// Attention with an online softmax over blocks of keys at fixed absolute positions (Milakov and Gimelshein 2018;
// Dao et al. 2022, algorithm 1), and its gradient by recomputation from the saved log-sum.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/ref/lanes.h"
#include "kernels/ref/ref.h"
#include "tensor/half.h"

namespace madang::ref {
namespace {

constexpr float nowhere = -std::numeric_limits<float>::infinity();

// A score is one chain over the head's numbers.
float chain(const float* query, const float* key, int dim) {
  float sum = 0;
  for (int d = 0; d < dim; ++d) sum = std::fma(query[d], key[d], sum);
  return sum;
}

float capped(const AttendTask& task, float score) {
  return task.softcap > 0 ? task.softcap * std::tanh(score / task.softcap) : score;
}

float bias_of(const AttendTask& task, int h, int64_t position) {
  return task.bias ? task.bias[h * task.bias_stride + position] : 0.0f;
}

// Key j of a page.
void read_key(const AttendTask& task, const std::byte* keys, int64_t j, float* key) {
  if (!task.kv.columns) return kv_decode(task.kv.type, keys + j * task.kv.key_row, task.key_dim, key);
  const int64_t number = kv_head_bytes(task.kv.type, 1);
  for (int d = 0; d < task.key_dim; ++d) kv_decode(task.kv.type, keys + (d * kv_block + j) * number, 1, key + d);
}

// Head h of query i against the keys it sees of a span, block by block.
void attend_one(const AttendTask& task, int64_t span, int64_t i, int h, const AttendPart& part, std::vector<float>& key,
                std::vector<float>& score) {
  const float* query = task.query + i * task.query_stride + h * task.key_dim;
  const int64_t row = i * task.heads + h, position = task.first + i;
  float* out = part.row(task, i, h);
  const int64_t begin = std::max(task.first_key(i), span * kv_span), end = std::min(position + 1, (span + 1) * kv_span);
  std::fill(out, out + task.value_dim, 0.0f);
  float top = nowhere, sum = 0;
  for (int64_t block = begin / kv_block; block * kv_block < end; ++block) {
    if (task.blocks.hides(position, h, block * kv_block)) continue;
    const std::byte* keys = task.kv.keys[block - task.kv.first_block] + task.kv.key_head;
    const std::byte* values = task.kv.values[block - task.kv.first_block] + task.kv.value_head;
    int64_t low = std::max(begin - block * kv_block, int64_t{0}), high = std::min(end - block * kv_block, kv_block);
    float largest = nowhere;
    for (int64_t j = low; j < high; ++j) {
      read_key(task, keys, j, key.data());
      score[static_cast<size_t>(j)] =
          capped(task, task.scale * chain(query, key.data(), task.key_dim)) + bias_of(task, h, block * kv_block + j);
      largest = std::max(largest, score[static_cast<size_t>(j)]);
    }
    const float before = std::exchange(top, largest > top + kv_slack ? largest : top);
    const float shrink = std::exp(before - top);  // 0 at the first block
    Lanes shown;
    for (int64_t j = low; j < high; ++j)
      shown.lane[j & 7] += score[static_cast<size_t>(j)] = std::exp(score[static_cast<size_t>(j)] - top);
    sum = std::fma(sum, shrink, shown.fold());
    for (int d = 0; d < task.value_dim; ++d) out[d] *= shrink;
    for (int64_t j = low; j < high; ++j) {
      kv_decode(task.kv.type, values + j * task.kv.value_row, task.value_dim, key.data());
      for (int d = 0; d < task.value_dim; ++d)
        out[d] = std::fma(score[static_cast<size_t>(j)], key[static_cast<size_t>(d)], out[d]);
    }
  }
  part.top[row] = top, part.sum[row] = sum;
}

}  // namespace

void attend(const AttendTask& task, int64_t span, const AttendPart& part) {
  std::vector<float> key(static_cast<size_t>(std::max(task.key_dim, task.value_dim))), score(kv_block);
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) attend_one(task, span, i, h, part, key, score);
}

void attend_join(const AttendTask& task, const AttendPart& all, const AttendPart& next) {
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) {
      const int64_t row = i * task.heads + h;
      const float top = std::max(all.top[row], next.top[row]);
      const float finite = std::max(top, std::numeric_limits<float>::lowest());  // neither has seen a key: zero stays
      const float mine = std::exp(all.top[row] - finite), others = std::exp(next.top[row] - finite);
      float *to = all.row(task, i, h), *from = next.row(task, i, h);
      for (int d = 0; d < task.value_dim; ++d) to[d] = to[d] * mine + from[d] * others;
      all.sum[row] = all.sum[row] * mine + next.sum[row] * others, all.top[row] = top;
    }
}

void attend_end(const AttendTask& task, const AttendPart& all) {
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) {
      const int64_t row = i * task.heads + h;
      for (int d = 0; d < task.value_dim; ++d) all.row(task, i, h)[d] /= all.sum[row];
      if (task.log_sum) task.log_sum[i * task.log_sum_stride + h] = all.top[row] + std::log(all.sum[row]);
    }
}

// p_j = exp(s_j - log_sum);  dv_j += p_j dout;  ds_j = p_j (dout . v_j - dout . out);  then through cap and scale.
void attend_back(const AttendTask& task, const float* dout, float* dquery, float* dk, int64_t dk_stride, float* dv,
                 int64_t dv_stride) {
  for (int64_t i = 0; i < task.n; ++i)
    for (int h = 0; h < task.heads; ++h) {
      const float* query = task.query + i * task.query_stride + h * task.key_dim;
      const float* out = task.out + i * task.out_stride + h * task.value_dim;
      const float* d = dout + i * task.out_stride + h * task.value_dim;
      float* dq = dquery + i * task.query_stride + h * task.key_dim;
      float along = dot(d, out, task.value_dim);
      for (int64_t j = task.first_key(i); j <= task.first + i; ++j) {
        if (task.blocks.hides(task.first + i, h, j)) continue;
        auto row = [&](const std::byte* const* pages, int64_t stride, int64_t head) {
          return reinterpret_cast<const float*>(pages[j / kv_block - task.kv.first_block] + j % kv_block * stride +
                                                head);
        };
        const float* key = row(task.kv.keys, task.kv.key_row, task.kv.key_head);
        const float* value = row(task.kv.values, task.kv.value_row, task.kv.value_head);
        float score = capped(task, task.scale * chain(query, key, task.key_dim));
        float p = std::exp(score + bias_of(task, h, j) - task.log_sum[i * task.log_sum_stride + h]);
        for (int k = 0; k < task.value_dim; ++k) dv[j * dv_stride + k] += p * d[k];
        float ds = p * (dot(d, value, task.value_dim) - along);
        if (task.softcap > 0) ds *= 1 - score / task.softcap * (score / task.softcap);  // 1 - tanh^2
        ds *= task.scale;
        for (int k = 0; k < task.key_dim; ++k) {
          dq[k] += ds * key[k];
          dk[j * dk_stride + k] += ds * query[k];
        }
      }
    }
}

void kv_encode(KvType type, const float* x, int64_t dim, std::byte* out) {
  auto* halves = reinterpret_cast<uint16_t*>(out);
  switch (type) {
    case KvType::f32:
      std::memcpy(out, x, static_cast<size_t>(dim) * 4);
      return;
    case KvType::f16:
      for (int64_t i = 0; i < dim; ++i) halves[i] = half_of_float(x[i]);
      return;
    case KvType::bf16:
      for (int64_t i = 0; i < dim; ++i) halves[i] = bf16_of_float(x[i]);
      return;
    case KvType::q8:
      break;
  }
  auto* codes = reinterpret_cast<int8_t*>(out + (dim + 31) / 32 * 2);
  for (int64_t g = 0; g * 32 < dim; ++g) {
    int64_t end = std::min(dim, g * 32 + 32);
    float largest = 0;
    for (int64_t i = g * 32; i < end; ++i) largest = std::max(largest, std::fabs(x[i]));
    halves[g] = half_of_float(largest / 127.0f);
    float scale = float_of_half(halves[g]), inverse = scale > 0 ? 1.0f / scale : 0.0f;
    for (int64_t i = g * 32; i < end; ++i)
      codes[i] = static_cast<int8_t>(std::clamp(std::nearbyint(x[i] * inverse), -127.0f, 127.0f));
  }
}

void kv_decode(KvType type, const std::byte* in, int64_t dim, float* out) {
  auto* halves = reinterpret_cast<const uint16_t*>(in);
  switch (type) {
    case KvType::f32:
      std::memcpy(out, in, static_cast<size_t>(dim) * 4);
      return;
    case KvType::f16:
      for (int64_t i = 0; i < dim; ++i) out[i] = float_of_half(halves[i]);
      return;
    case KvType::bf16:
      for (int64_t i = 0; i < dim; ++i) out[i] = float_of_bf16(halves[i]);
      return;
    case KvType::q8:
      break;
  }
  auto* codes = reinterpret_cast<const int8_t*>(in + (dim + 31) / 32 * 2);
  for (int64_t i = 0; i < dim; ++i) out[i] = float_of_half(halves[i / 32]) * static_cast<float>(codes[i]);
}

}  // namespace madang::ref

namespace madang {

int64_t kv_head_bytes(KvType type, int64_t dim) {
  switch (type) {
    case KvType::f32:
      return dim * 4;
    case KvType::f16:
    case KvType::bf16:
      return dim * 2;
    case KvType::q8:
      break;
  }
  return ((dim + 31) / 32 * 2 + dim + 1) / 2 * 2;  // even, so that the next head's scales stay aligned
}

}  // namespace madang
