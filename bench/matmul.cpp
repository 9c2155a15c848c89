// The ladder of the matrix products: every block format, one token and many, for each table of kernels this machine
// runs. Prints GB/s of weight and GMAC/s beside the limits measured in the same run: reading memory, and float32
// multiply-adds from registers. A one-token product cannot beat the first, a many-token one in float32 the second.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "kernels/table.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

namespace madang {
namespace {

using Clock = std::chrono::steady_clock;

// Median seconds of one call, over at least half a second.
template <class Work>
double seconds(Work&& work) {
  std::vector<double> times;
  work();  // warm up
  for (auto end = Clock::now() + std::chrono::milliseconds(400); Clock::now() < end || times.size() < 3;) {
    auto start = Clock::now();
    work();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::ranges::nth_element(times, times.begin() + static_cast<long>(times.size() / 2));
  return times[times.size() / 2];
}

double read_limit(ThreadPool& pool) {  // GB/s over 512 MiB, eight sums so that adding does not hold it back
  Buffer memory(DType::f32, {128 << 20});
  std::vector<float> sink(1024);
  const double s = seconds([&] {
    pool.parallel(1024, 8, [&](int64_t begin, int64_t end) {
      for (int64_t piece = begin; piece < end; ++piece) {
        const float* p = memory.f32() + piece * (128 << 10);
        float sum[64] = {};
        for (int64_t i = 0; i < 128 << 10; i += 64)
          for (int j = 0; j < 64; ++j) sum[j] += p[i + j];
        for (float part : sum)
          sink[static_cast<size_t>(piece)] += part;  // all of them count, or the compiler skips reads
      }
    });
  });
  return static_cast<double>(memory.view().bytes()) / s / 1e9;
}

double multiply_limit(ThreadPool& pool, const Kernels& k) {  // GMAC/s of a product that stays in the first-level cache
  Buffer w(DType::f32, {8, 512}), x(DType::f32, {12, 512}), y(DType::f32, {12, 8 * 64});
  const Weight weight{&f32_format, static_cast<const uint8_t*>(w.view().data), 8, 512, nullptr};
  const int64_t calls = 4096;
  const double s = seconds([&] {
    pool.parallel(calls, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) k.matmul_exact(weight, x.f32(), 12, 0, 8, y.f32() + i % 64 * 8, 8 * 64);
    });
  });
  return static_cast<double>(calls) * 8 * 512 * 12 / s / 1e9;
}

void run(ThreadPool& pool, const Kernels& k, const Format& format, int64_t tokens) {
  const int64_t rows = 8192, cols = 2048;
  Random random(7);
  Weight w{&format, nullptr, rows, cols, nullptr};
  std::vector<uint8_t> bytes(static_cast<size_t>(w.size()));
  for (auto& b : bytes) b = static_cast<uint8_t>(random.bits() & 0x3F);  // small finite scales in every format
  w.bytes = bytes.data();
  Buffer x(DType::f32, {tokens, cols}), y(DType::f32, {tokens, rows});
  for (int64_t i = 0; i < tokens * cols; ++i) x.f32()[i] = static_cast<float>(random.normal());
  Int8Rows q{.rows = tokens, .cols = cols, .tile = Int8Rows::tile_of(tokens)};
  Buffer code(DType::i8, {q.slots(), 32}), scale(DType::f32, {q.slots()}), low(DType::f32, {q.slots()}),
      less(DType::i32, {3, q.slots()});
  q.code = static_cast<int8_t*>(code.view().data), q.scale = scale.f32(), q.low = low.f32();
  q.less = static_cast<int32_t*>(less.view().data);
  k.to_int8(x.f32(), 0, tokens, q);
  auto rate = [&](auto&& product) {
    const double s = seconds([&] { pool.parallel(rows, 32, product); });
    fmt::print(" {:8.2f} GB/s {:8.1f} GMAC/s |", static_cast<double>(w.size()) / s / 1e9,
               static_cast<double>(rows * cols * tokens) / s / 1e9);
  };
  fmt::print("{:9} {:8} {:4} |", k.name, format.name, tokens);
  rate([&](int64_t begin, int64_t end) { k.matmul_exact(w, x.f32(), tokens, begin, end, y.f32(), rows); });
  if (panel_form(format) >= 0) {
    const Panels panels = pack(w, pool);
    rate([&](int64_t begin, int64_t end) {
      k.matmul_fast(panels, q, begin / panel_rows, end / panel_rows, y.f32(), rows);
    });
  } else if (format.codes) {
    rate([&](int64_t begin, int64_t end) {
      std::unique_ptr<uint8_t[]> memory;
      size_t size = 0;
      k.matmul_fast(pack_loose(w, begin, end, memory, size), q, 0, (end - begin) / panel_rows, y.f32() + begin, rows);
    });
  }
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace madang

int main(int argc, char** argv) {
  using namespace madang;
  ThreadPool pool;
  const char* forced = std::getenv("MADANG_ISA");
  const Kernels& best = pick_kernels(forced ? forced : "");
  fmt::print("{}, {} threads, kernels {}\n", Cpu::detect().name, pool.size(), best.name);
  fmt::print("limits: memory reads {:.1f} GB/s, float32 {:.1f} GMAC/s\n", read_limit(pool), multiply_limit(pool, best));
  fmt::print("weight 8192 x 2048; left exact (float32), right fast (int8 activations)\n");
  for (const Format& format : formats()) {
    if (argc > 1 && format.name != argv[1]) continue;
    for (int64_t tokens : {1, 16, 256}) run(pool, best, format, tokens);
  }
}
