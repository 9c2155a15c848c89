// The ladder of the matrix products: every block format, one token and many, for each table of kernels this machine
// runs. Prints GB/s of weight and GMAC/s beside the limits measured in the same run: reading memory, and float32
// multiply-adds from registers. A one-token product cannot beat the first, a many-token one in float32 the second.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/cpu.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "engine/machine.h"
#include "kernels/table.h"
#include "seconds.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

namespace madang {
namespace {

void run(ThreadPool& pool, const Kernels& k, const Format& format, int64_t tokens) {
  const int64_t rows = 8192, cols = 2048;
  Random random(7);
  Weight w{&format, nullptr, rows, cols, nullptr};
  std::vector<uint8_t> bytes(static_cast<size_t>(w.size()));
  for (auto& b : bytes) b = static_cast<uint8_t>(random.bits() & 0x3F);  // small finite scales in every format
  if (!format.in_files() && format.name != "INT4_F16")  // float32 scales: as they come, many were subnormal
    for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(format.bytes))
      for (size_t i = 0; i < 32 / static_cast<size_t>(format.group); ++i) bytes[at + 4 * i + 3] = 0x3C;
  if (&format == &bf16_format)  // none subnormal, which take long
    for (size_t at = 1; at < bytes.size(); at += 2) bytes[at] |= 0x30;
  w.bytes = bytes.data();
  Buffer x(DType::f32, {tokens, cols}), y(DType::f32, {tokens, rows});
  for (int64_t i = 0; i < tokens * cols; ++i) x.f32()[i] = static_cast<float>(random.normal());
  Int8Rows q{.rows = tokens, .cols = cols, .tile = k.int8_tile(tokens)};
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
  } else if (&format == &bf16_format && k.bf16) {
    Buffer numbers(DType::bf16, {tokens, cols});
    const Bf16Rows rounded{.rows = tokens, .cols = cols, .number = static_cast<uint16_t*>(numbers.view().data)};
    k.to_bf16(x.f32(), 0, tokens, rounded);
    rate([&](int64_t begin, int64_t end) { k.matmul_bf16(w, rounded, begin, end, y.f32(), rows); });
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
  const MachineLimits limits = measure_limits(pool, best);
  fmt::print("limits: memory reads {:.1f} GB/s, float32 {:.1f} GMAC/s, int8 {:.1f} GMAC/s\n", limits.read_bytes / 1e9,
             limits.multiplies_f32 / 1e9, limits.multiplies_int8 / 1e9);
  fmt::print("weight 8192 x 2048; left exact (float32), right fast (activations in int8, or in bf16)\n");
  for (const Format& format : formats()) {
    if (argc > 1 && format.name != argv[1]) continue;
    for (int64_t tokens : {1, 16, 256}) run(pool, best, format, tokens);
  }
}
