// madang rm: give a model's disk space back. Only models that `madang pull` fetched; files of your own stay.
#include <iostream>

#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"

namespace madang {
namespace {

int run(const Arguments& arguments, Surroundings& around) {
  ModelStore store = open_store(around);
  for (const std::string& name : arguments.operands()) {
    const auto model = store.find(name);
    store.remove(name);
    *around.out << around.words(
                       say("removed {} ({})", name, human_bytes(model ? static_cast<double>(model->bytes) : 0.0)))
                << '\n';
  }
  return 0;
}

}  // namespace

Command rm_command() {
  return {
      .name = "rm",
      .operands = "NAME ...",
      .summary = say("remove a fetched model"),
      .about = {say("Removes what `madang pull` fetched, also what an unfinished pull left. Files of your own are "
                    "never touched.")},
      .examples = {{"madang rm gemma3-270m", say("gives 253 MB back")}},
      .run = run,
  };
}

}  // namespace madang
