#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#endif

namespace madang {

#if defined(__x86_64__)
namespace {

struct Regs {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Regs cpuid(uint32_t leaf, uint32_t sub = 0) {
  Regs r;
  __get_cpuid_count(leaf, sub, &r.a, &r.b, &r.c, &r.d);
  return r;
}

uint64_t xcr0() {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

bool bit(uint32_t word, int n) { return word >> n & 1; }

}  // namespace

Cpu Cpu::detect() {
  Cpu cpu;
  std::array<char, 49> brand{};
  for (uint32_t i = 0; i < 3; ++i) {
    Regs r = cpuid(0x80000002u + i);
    std::memcpy(brand.data() + 16 * i, &r, 16);
  }
  cpu.name = brand.data();
  while (!cpu.name.empty() && cpu.name.back() == ' ') cpu.name.pop_back();

  // Intel SDM vol. 2, CPUID leaves 1 and 7; vol. 1, 13.3 for XCR0.
  Regs one = cpuid(1), seven = cpuid(7), seven1 = cpuid(7, 1);
  if (!bit(one.c, 27)) return cpu;  // no OSXSAVE: the OS saves nothing wider than xmm
  uint64_t saved = xcr0();
  bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xE6) == 0xE6, tiles = (saved & 0x60000) == 0x60000;
  cpu.avx2 = ymm && bit(seven.b, 5) && bit(one.c, 12) && bit(one.c, 29);
  cpu.avx512 = cpu.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31) &&
               bit(seven.c, 11);
  cpu.avx512_bf16 = cpu.avx512 && bit(seven1.a, 5);
  // Linux hands out tile data only on request (arch_prctl ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18).
  bool granted = tiles && bit(seven.d, 24) && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  cpu.amx_int8 = cpu.avx512 && granted && bit(seven.d, 25);
  cpu.amx_bf16 = cpu.avx512 && granted && bit(seven.d, 22);
  return cpu;
}
#else
Cpu Cpu::detect() { return Cpu{"unknown", false, false, false, false, false}; }
#endif

}  // namespace madang
