// Which kernels run: the first of an ordered list that the processor and the operating system grant.
#include "base/cpu.h"
#include "base/error.h"
#include "kernels/known.h"
#include "kernels/table.h"
#include "kernels/tiled.h"

namespace madang {
namespace {

struct Choice {
  const char* name;
  const Kernels& (*kernels)();
  bool (*granted)(const Cpu&);
  Text (*about)();
  bool only_if_forced = false;  // twins for tests
};

const Choice choices[] = {
#if defined(__x86_64__)
    {"amx", amx_kernels, [](const Cpu& cpu) { return cpu.amx_int8 && cpu.amx_bf16; },
     [] { return say("tiles of bytes and of bf16 (AMX), 16 tokens by 16 rows"); }},
    {"avx512", avx512_kernels, [](const Cpu& cpu) { return cpu.avx512; },
     [] { return say("64 multiply-adds of bytes an instruction (VNNI), floats by eight"); }},
    {"avx2", avx2_kernels, [](const Cpu& cpu) { return cpu.avx2; },
     [] { return say("32 multiply-adds of bytes an instruction, floats by eight"); }},
#endif
    {"ref", []() -> const Kernels& { return ref_kernels; }, [](const Cpu&) { return true; },
     [] { return say("plain loops"); }},
    {"emulated", emulated_kernels, [](const Cpu&) { return true; },
     [] { return say("the vector kernels in plain C++, for tests"); }, true},
    {"emulated-tiles", emulated_tiles_kernels, [](const Cpu&) { return true; },
     [] { return say("the products of amx in plain C++, for tests"); }, true},
};

}  // namespace

std::vector<KernelsRow> known_kernels() {
  const Cpu cpu = Cpu::detect();
  std::vector<KernelsRow> rows;
  for (const Choice& choice : choices)
    rows.push_back({choice.name, choice.about(), choice.granted(cpu), choice.only_if_forced});
  return rows;
}

const Kernels& pick_kernels(std::string_view forced) {
  const Cpu cpu = Cpu::detect();
  std::string known;
  for (const Choice& choice : choices) {
    if (forced.empty() && !choice.only_if_forced && choice.granted(cpu)) return choice.kernels();
    if (forced == choice.name) {
      if (!choice.granted(cpu))
        throw Error(Kind::unsupported, say("this processor cannot run the kernels named {}", forced)).found(cpu.name);
      return choice.kernels();
    }
    known += (known.empty() ? "" : ", ") + std::string(choice.name);
  }
  throw Error(Kind::usage, say("MADANG_ISA names no known kernels: {}", forced)).expected(known);
}

}  // namespace madang
