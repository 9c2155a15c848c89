// Which kernels run: the first of an ordered list that the processor and the operating system grant.
#include "base/cpu.h"
#include "base/error.h"
#include "kernels/known.h"
#include "kernels/proof.h"
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
  bool (*proved)() = [] { return true; };
};

const Choice choices[] = {
#if defined(__x86_64__)
    // No processor that has AMX has run these yet. What is theirs alone is thin, six instructions below a template that
    // the twin's tests hold to the reference's bits; but what no test has seen run must not answer people. So where
    // they could be chosen they first multiply some numbers, a few milliseconds of work, and are passed over if one bit
    // is wrong.
    {"amx", amx_kernels, [](const Cpu& cpu) { return cpu.amx_int8; },
     [] {
       return say(
           "tiles of bytes (AMX), 12 tokens by 16 rows; not yet run on a processor that has them, so proved when "
           "chosen");
     },
     false,
     [] {
       static const bool right = multiplies_right(amx_kernels());
       return right;
     }},
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
  for (const Choice& choice : choices) {
    const bool granted = choice.granted(cpu);
    rows.push_back({choice.name, choice.about(), granted, granted && !choice.proved(), choice.only_if_forced});
  }
  return rows;
}

const Kernels& pick_kernels(std::string_view forced) {
  const Cpu cpu = Cpu::detect();
  std::string known;
  for (const Choice& choice : choices) {
    if (forced.empty() && !choice.only_if_forced && choice.granted(cpu) && choice.proved()) return choice.kernels();
    if (forced == choice.name) {
      if (!choice.granted(cpu))
        throw Error(Kind::unsupported, say("this processor cannot run the kernels named {}", forced)).found(cpu.name);
      if (!choice.proved())
        throw Error(Kind::unsupported, say("the kernels named {} multiply wrong on this processor", forced))
            .found(cpu.name)
            .hint(say("leave MADANG_ISA away, and tell the makers of madang what `madang cpu` prints"));
      return choice.kernels();
    }
    known += (known.empty() ? "" : ", ") + std::string(choice.name);
  }
  throw Error(Kind::usage, say("MADANG_ISA names no known kernels: {}", forced)).expected(known);
}

}  // namespace madang
