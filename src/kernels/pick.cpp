// Which kernels run: the first of an ordered list that the processor and the operating system grant.
#include "base/cpu.h"
#include "base/error.h"
#include "kernels/table.h"

namespace madang {
namespace {

struct Choice {
  const char* name;
  const Kernels& (*kernels)();
  bool (*granted)(const Cpu&);
  bool only_if_forced = false;  // twins for tests
};

const Choice choices[] = {
#if defined(__x86_64__)
    {"avx512", avx512_kernels, [](const Cpu& cpu) { return cpu.avx512; }},
    {"avx2", avx2_kernels, [](const Cpu& cpu) { return cpu.avx2; }},
#endif
    {"ref", []() -> const Kernels& { return ref_kernels; }, [](const Cpu&) { return true; }},
    {"emulated", emulated_kernels, [](const Cpu&) { return true; }, true},
};

}  // namespace

const Kernels& pick_kernels(std::string_view forced) {
  const Cpu cpu = Cpu::detect();
  std::string known;
  for (const Choice& choice : choices) {
    if (forced.empty() && !choice.only_if_forced && choice.granted(cpu)) return choice.kernels();
    if (forced == choice.name) {
      if (choice.granted(cpu)) return choice.kernels();
      throw Error(Kind::unsupported, say("this processor cannot run the kernels named {}", forced)).found(cpu.name);
    }
    known += (known.empty() ? "" : ", ") + std::string(choice.name);
  }
  throw Error(Kind::usage, say("MADANG_ISA names no known kernels: {}", forced)).expected(known);
}

}  // namespace madang
