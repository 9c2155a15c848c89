// The ladder of attention alone: one query at the end of a context, and whole prompts, for each way of storing keys and
// values. Prints multiply-adds a second (scores and weighted values, only of keys that are seen) beside the float32
// rate of the same run, and for one query the bytes of keys and values that it reads a second beside memory's.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "engine/machine.h"
#include "kernels/table.h"
#include "ops/ops.h"
#include "seconds.h"

namespace madang {
namespace {

struct Layer {
  const char* name;
  int heads, kv_heads, dim;
  int64_t window;
};

// Keys and values of all heads, as the engine's pages hold them: keys by columns where they can be.
struct Cache {
  std::vector<std::byte> keys, values;
  std::vector<const std::byte*> key_pages, value_pages;
  KvPages pages;

  Cache(const Kernels& k, const Layer& layer, KvType type, int64_t positions, Random& random) {
    const int64_t row = kv_head_bytes(type, layer.dim), head = row * kv_block, page = head * layer.kv_heads;
    const int64_t count = (positions + kv_block - 1) / kv_block;
    keys.resize(static_cast<size_t>(count * page)), values.resize(keys.size());
    std::vector<float> x(static_cast<size_t>(layer.dim));
    for (int64_t at = 0; at < count * page; at += row) {
      for (float& v : x) v = static_cast<float>(random.normal());
      k.kv_encode(type, x.data(), layer.dim, keys.data() + at),
          k.kv_encode(type, x.data(), layer.dim, values.data() + at);
    }
    for (int64_t p = 0; p < count; ++p)
      key_pages.push_back(keys.data() + p * page), value_pages.push_back(values.data() + p * page);
    pages = {.type = type,
             .keys = key_pages.data(),
             .values = value_pages.data(),
             .key_row = row,
             .value_row = row,
             .key_step = head,
             .value_step = head,
             .columns = type != KvType::q8};
  }
};

// Queries [first, first + n) of all heads, as a forward has them.
double time_of(ThreadPool& pool, const Kernels& k, const Layer& layer, const Cache& cache, int64_t first, int64_t n,
               Buffer& query) {
  AttentionShape s;
  s.heads = layer.heads, s.kv_heads = layer.kv_heads, s.key_dim = s.value_dim = layer.dim, s.scale = 0.1f;
  s.window = layer.window;
  const AttendSegment segment{0, n, first, cache.pages};
  Arena arena;
  Ctx c{pool, arena, k};
  return seconds([&] {
    arena.rewind({});
    attention(c, {query.f32(), DType::f32, {n, layer.heads, layer.dim}}, std::span(&segment, 1), s);
  });
}

void run(ThreadPool& pool, const Kernels& k, const MachineLimits& limits, const Layer& layer, KvType type,
         const char* type_name) {
  Random random(7);
  constexpr int64_t longest = 8192;
  const Cache cache(k, layer, type, longest, random);
  Buffer query(DType::f32, {2048, layer.heads, layer.dim});
  for (int64_t i = 0; i < query.view().numel(); ++i) query.f32()[i] = static_cast<float>(random.normal());
  auto seen = [&](int64_t p) { return static_cast<double>(layer.window ? std::min(p + 1, layer.window) : p + 1); };
  auto row = [&](const char* what, int64_t first, int64_t n) {
    double pairs = 0;
    for (int64_t i = 0; i < n; ++i) pairs += seen(first + i);
    const double s = time_of(pool, k, layer, cache, first, n, query);
    const double multiplies = pairs * layer.heads * layer.dim * 2 / s;
    fmt::print("{:22} {:5} {:26} {:9.3f} ms {:7.1f} GMAC/s ({:3.0f} %)", layer.name, type_name, what, s * 1e3,
               multiplies / 1e9, 100 * multiplies / limits.multiplies_f32);
    const double bytes = seen(first) * 2 * static_cast<double>(layer.kv_heads * cache.pages.key_row) / s;
    if (n == 1) fmt::print(" {:6.2f} GB/s ({:3.0f} %)", bytes / 1e9, 100 * bytes / limits.read_bytes);
    fmt::print("\n");
    std::fflush(stdout);
  };
  row("one query of 4096", 4095, 1);
  row("prompt of 512", 0, 512);
  row("last 2048 queries of 8192", 6144, 2048);
}

}  // namespace
}  // namespace madang

int main() {
  using namespace madang;
  ThreadPool pool;
  const char* forced = std::getenv("MADANG_ISA");
  const Kernels& kernels = pick_kernels(forced ? forced : "");
  const MachineLimits limits = measure_limits(pool, kernels);
  fmt::print("{}, {} threads, kernels {}; memory reads {:.1f} GB/s, float32 {:.1f} GMAC/s\n", Cpu::detect().name,
             pool.size(), kernels.name, limits.read_bytes / 1e9, limits.multiplies_f32 / 1e9);
  const Layer layers[] = {{"32 heads, 4 kv, 64", 32, 4, 64, 0},
                          {"32 heads, 8 kv, 128", 32, 8, 128, 0},
                          {"9 heads, 3 kv, 64", 9, 3, 64, 0},
                          {"4 heads, 1 kv, 256", 4, 1, 256, 0},
                          {"the same, window 512", 4, 1, 256, 512}};
  const std::pair<KvType, const char*> types[] = {
      {KvType::f16, "f16"}, {KvType::f32, "f32"}, {KvType::bf16, "bf16"}, {KvType::q8, "q8"}};
  for (const Layer& layer : layers)
    for (const auto& [type, name] : types) run(pool, kernels, limits, layer, type, name);
}
