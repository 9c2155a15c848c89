// What this processor can do and the operating system lets it do. Looked at once, passed on; nobody asks twice.
#pragma once
#include <string>

namespace madang {

struct Cpu {
  std::string name;
  bool avx2 = false;    ///< AVX2, FMA and F16C, with the OS saving ymm
  bool avx512 = false;  ///< F, BW, DQ, VL and VNNI, with the OS saving zmm
  bool avx512_bf16 = false;
  bool amx_int8 = false, amx_bf16 = false;  ///< with the OS granting tile data

  static Cpu detect();
};

}  // namespace madang
