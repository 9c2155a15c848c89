// madang help, madang version.
#include <algorithm>
#include <iostream>

#include "base/cpu.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "kernels/table.h"

namespace madang {
namespace {

int help(const Arguments& arguments, Surroundings& around) {
  const auto all = commands();
  if (arguments.operands().empty()) return show_overview(around, all), 0;
  const std::string& name = arguments.operands()[0];
  auto found = std::ranges::find(all, name, &Command::name);
  if (found != all.end()) return show_help(around, *found), 0;
  std::vector<std::string_view> known;
  for (const Command& c : all) known.push_back(c.name);
  throw Error(Kind::usage, say("there is no command {}", name))
      .hint(say("did you mean {}? `madang help` lists all commands", nearest(name, known)));
}

int show_version(const Arguments&, Surroundings& around) {
  const Kernels& kernels = pick_kernels(around.isa);
  *around.out << "madang " << version << "\n"
              << around.words(say("processor: {}", Cpu::detect().name)) << '\n'
              << around.words(say("kernels: {}", kernels.name)) << '\n';
  return 0;
}

}  // namespace

Command help_command() {
  return {.name = "help",
          .operands = "[COMMAND]",
          .summary = say("all commands, or one of them"),
          .examples = {{"madang help chat", say("the same as madang chat --help")}},
          .run = help};
}

Command version_command() {
  return {.name = "version", .operands = "", .summary = say("version, processor and kernels"), .run = show_version};
}

}  // namespace madang
