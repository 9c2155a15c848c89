// What this processor can do and the operating system lets it do. Looked at once, passed on; nobody asks twice.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace madang {

/// An instruction set that madang has a use for.
struct CpuFeature {
  std::string_view name;  ///< as Intel's manual writes it: "AVX512_VNNI"
  bool present = false;   ///< the processor says that it has it
  bool granted = false;   ///< and the operating system saves the registers it needs
};

struct Cpu {
  std::string name;
  std::string vendor;                       ///< "GenuineIntel", "AuthenticAMD"; "" where unknown
  int family = 0, model = 0, stepping = 0;  ///< as the vendor counts
  std::vector<CpuFeature> features;         ///< all that madang asks for, present or not; none where unknown
  bool avx2 = false;                        ///< AVX2, FMA and F16C, with the OS saving ymm
  bool avx512 = false;                      ///< F, BW, DQ, VL and VNNI, with the OS saving zmm
  bool avx512_bf16 = false;
  bool amx_int8 = false, amx_bf16 = false;  ///< with the OS granting tile data

  static Cpu detect();
};

}  // namespace madang
