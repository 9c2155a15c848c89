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

// Intel SDM vol. 2, CPUID leaf 0: the vendor's twelve letters stand in ebx, edx, ecx.
std::string vendor_letters() {
  const Regs r = cpuid(0);
  std::array<char, 12> letters{};
  std::memcpy(letters.data(), &r.b, 4), std::memcpy(letters.data() + 4, &r.d, 4);
  std::memcpy(letters.data() + 8, &r.c, 4);
  return {letters.data(), letters.size()};
}

std::string brand_name() {
  std::array<char, 49> letters{};
  for (uint32_t i = 0; i < 3; ++i) {
    Regs r = cpuid(0x80000002u + i);
    std::memcpy(letters.data() + 16 * i, &r, 16);
  }
  std::string name = letters.data();
  while (!name.empty() && name.back() == ' ') name.pop_back();
  return name;
}

}  // namespace

Cpu Cpu::detect() {
  Cpu cpu{.name = brand_name(), .vendor = vendor_letters()};
  // Intel SDM vol. 2, CPUID leaves 1 and 7; vol. 1, 13.3 for XCR0.
  const Regs one = cpuid(1), seven = cpuid(7), seven1 = cpuid(7, 1);
  const int family = one.a >> 8 & 15, model = one.a >> 4 & 15;
  cpu.family = family == 15 ? family + static_cast<int>(one.a >> 20 & 255) : family;
  cpu.model = family == 15 || family == 6 ? model + static_cast<int>(one.a >> 16 & 15) * 16 : model;
  cpu.stepping = one.a & 15;

  const uint64_t saved = bit(one.c, 27) ? xcr0() : 0;  // without OSXSAVE the OS saves nothing wider than xmm
  const bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xE6) == 0xE6, tiles = (saved & 0x60000) == 0x60000;
  // Linux hands out tile data only on request (arch_prctl ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18).
  const bool tile_data = tiles && bit(seven.d, 24) && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  auto feature = [&](std::string_view name, bool present, bool registers) {
    cpu.features.push_back({name, present, present && registers});
    return present && registers;
  };
  const bool avx2 = feature("AVX2", bit(seven.b, 5), ymm);
  const bool fma = feature("FMA", bit(one.c, 12), ymm), f16c = feature("F16C", bit(one.c, 29), ymm);
  feature("AVX_VNNI", bit(seven1.a, 4), ymm);
  const bool f = feature("AVX512F", bit(seven.b, 16), zmm), dq = feature("AVX512DQ", bit(seven.b, 17), zmm);
  const bool bw = feature("AVX512BW", bit(seven.b, 30), zmm), vl = feature("AVX512VL", bit(seven.b, 31), zmm);
  const bool vnni = feature("AVX512_VNNI", bit(seven.c, 11), zmm);
  const bool bf16 = feature("AVX512_BF16", bit(seven1.a, 5), zmm);
  const bool tiles_int8 = feature("AMX_INT8", bit(seven.d, 25), tile_data);
  const bool tiles_bf16 = feature("AMX_BF16", bit(seven.d, 22), tile_data);

  cpu.avx2 = avx2 && fma && f16c;
  cpu.avx512 = cpu.avx2 && f && dq && bw && vl && vnni;
  cpu.avx512_bf16 = cpu.avx512 && bf16;
  cpu.amx_int8 = cpu.avx512 && tiles_int8, cpu.amx_bf16 = cpu.avx512 && tiles_bf16;
  return cpu;
}
#else
Cpu Cpu::detect() { return Cpu{.name = "unknown"}; }
#endif

}  // namespace madang
