// madang convert: the same model in the other kind of file.
#include <iostream>
#include <map>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "convert/convert.h"

namespace madang {
namespace {

ConvertOptions options_of(const Arguments& arguments) {
  ConvertOptions options;
  options.tokenizer = !arguments.has("--no-tokenizer");
  if (const auto type = arguments.choice("--type")) options.type = format_by_name(*type);
  return options;
}

Json as_json(const ConvertPlan& plan) {
  Json out = {{"architecture", plan.config.architecture()}, {"bytes", plan.bytes()}, {"tensors", Json::array()}};
  for (const ConvertedTensor& t : plan.tensors)
    out["tensors"].push_back({{"name", t.placement.name},
                              {"shape", t.placement.shape},
                              {"from", t.from->name},
                              {"to", t.format->name},
                              {"bytes", t.bytes}});
  return out;
}

void summarize(const ConvertPlan& plan, const std::string& path, Surroundings& around) {
  std::map<std::string_view, int> types;
  for (const ConvertedTensor& t : plan.tensors) ++types[t.format->name];
  std::string text;
  for (auto& [name, n] : types) text += fmt::format("{}{} × {}", text.empty() ? "" : ", ", n, name);
  *around.out << around.words(say("{}: {}, {} tensors ({})", path, human_bytes(static_cast<double>(plan.bytes())),
                                  plan.tensors.size(), text))
              << std::endl;
}

int run(const Arguments& arguments, Surroundings& around) {
  const std::string &from = arguments.operands()[0], &to = arguments.operands()[1];
  check_free(arguments, to);
  const auto checkpoint = Checkpoint::open(find_model(around, from), {.weights = false});
  const ConvertPlan plan = plan_convert(checkpoint, to, options_of(arguments));
  if (!arguments.has("--dry-run")) {
    Interrupt interrupt;  // before there are threads: Ctrl-C leaves no half file behind
    ThreadPool pool(static_cast<int>(arguments.integer("--threads", 0, 1, 1024)));
    ProgressBar bar(around);
    convert(plan, to, pool, [&](const Progress& p) { return bar.show(p) && !interrupt.pressed(); });
  }
  if (arguments.has("--json")) return *around.out << as_json(plan).dump(2) << '\n', 0;
  summarize(plan, to, around);
  return 0;
}

}  // namespace

Command convert_command() {
  return {
      .name = "convert",
      .operands = "IN OUT",
      .summary = say("the same model as GGUF or as a safetensors folder"),
      .about =
          {say("OUT ending with .gguf is a GGUF file that llama.cpp loads too; any other OUT is a folder as Hugging "
               "Face repositories are. Tokenizer, chat template and what the makers recommend for answering go "
               "along. Weights keep their own type where the other kind of file has it."),
           say("Memory is bounded by the largest tensor. `madang verify IN OUT` proves the result.")},
      .flags = {{"--type", "-t", "f32|f16|bf16|q8_0", say("the type of matrices (else their own)")},
                {"--no-tokenizer", "", "", say("weights and configuration alone")},
                {"--dry-run", "", "", say("only say what would be written")},
                {"--force", "", "", say("write over OUT")},
                {"--threads", "", "N", say("threads (else all processors); the bytes written do not depend on it")},
                {"--json", "", "", say("as JSON, for programs")}},
      .examples = {{"madang convert ./Llama-3.2-1B llama.gguf", say("a repository as one file")},
                   {"madang convert model-q4.gguf ./model --type f32", say("back to a folder, every value exactly")},
                   {"madang convert ./model model.gguf -t q8_0",
                    say("half the size; `madang verify` tells what it cost")}},
      .run = run,
  };
}

}  // namespace madang
