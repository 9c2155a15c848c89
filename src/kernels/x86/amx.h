// The tiles of AMX-INT8 and AMX-BF16. To be included outside of target regions, and run only where the processor has
// them.
//
// Written as instructions and not as intrinsics: GCC 12's paste the register's number as text, so that no template can
// give it, and do not say that a load reads memory nor that a configuration reads all of it, so that what the program
// stored there may not stand there yet.
#pragma once
#include <array>

#include "kernels/simd/tile_shapes.h"

namespace madang {

/// The tiles of this thread, configured as long as this lives. Released at its end: the operating system then has no
/// eight kilobytes of theirs to keep when threads take turns.
class AmxRegisters {
 public:
  [[gnu::always_inline]] explicit AmxRegisters(const simd::TileShapes& shapes) {
    __asm__ volatile("ldtilecfg %0" ::"m"(shapes));
  }
  [[gnu::always_inline]] ~AmxRegisters() { __asm__ volatile("tilerelease"); }
  AmxRegisters(const AmxRegisters&) = delete;
  AmxRegisters& operator=(const AmxRegisters&) = delete;

  /// Of sums: every one of them at sums_begin, from one row of them that all rows of the tile read.
  template <int to>
  [[gnu::always_inline]] static void begin() {
    alignas(64) static constexpr auto row = [] {
      std::array<int32_t, panel_rows> all;
      all.fill(simd::sums_begin);
      return all;
    }();
    load<to>(row.data(), 0);
  }
  template <int to>
  [[gnu::always_inline]] static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(to));
  }
  template <int to>
  [[gnu::always_inline]] static void load(const void* p, int64_t stride) {
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(to), "r"(p), "r"(stride) : "memory");
  }
  template <int from>
  [[gnu::always_inline]] static void store(void* p, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(from), "r"(p), "r"(stride) : "memory");
  }
  template <int sum, int x, int w>
  [[gnu::always_inline]] static void multiply() {
    __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(x), "i"(w));
  }
  template <int sum, int x, int w>
  [[gnu::always_inline]] static void multiply_bf16() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(x), "i"(w));
  }
};

}  // namespace madang
