// Which kernels run: the first of an ordered list that the processor and the operating system grant.
#include <string_view>

#include "base/cpu.h"
#include "base/error.h"
#include "kernels/table.h"

namespace madang {
namespace {

struct Choice {
  const Kernels* kernels;
  bool (*granted)(const Cpu&);
  bool only_if_forced;  // twins for tests
};

const Choice choices[] = {
    {&ref_kernels, [](const Cpu&) { return true; }, false},
};

}  // namespace

const Kernels& pick_kernels(const char* forced) {
  const Cpu cpu = Cpu::detect();
  std::string known;
  for (const Choice& choice : choices) {
    if (!*forced && !choice.only_if_forced && choice.granted(cpu)) return *choice.kernels;
    if (std::string_view(forced) == choice.kernels->name) {
      if (choice.granted(cpu)) return *choice.kernels;
      throw Error(Kind::unsupported, say("this processor cannot run the kernels named {}", forced)).found(cpu.name);
    }
    known += (known.empty() ? "" : ", ") + std::string(choice.kernels->name);
  }
  throw Error(Kind::usage, say("MADANG_ISA names no known kernels: {}", forced)).expected(known);
}

}  // namespace madang
