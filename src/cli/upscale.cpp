// madang upscale: a deeper model out of a model's own layers, to be trained on.
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "convert/convert.h"

namespace madang {
namespace {

/// "8:24", or SOLAR's own choice: all but the first and the last quarter.
std::pair<int64_t, int64_t> span_of(const Arguments& arguments, int64_t layers) {
  const auto text = arguments.text("--repeat");
  if (!text) return {layers / 4, layers - layers / 4};
  const size_t colon = text->find(':');
  auto number = [&](std::string_view digits) -> int64_t {
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != digits.npos)
      throw Error(Kind::usage, say("{} wants two layer numbers", "--repeat")).expected("B:E").found(*text);
    return std::stoll(std::string(digits));
  };
  const std::string_view all = *text;
  return {number(all.substr(0, colon)), number(colon == text->npos ? "" : all.substr(colon + 1))};
}

int run(const Arguments& arguments, Surroundings& around) {
  const std::string& to = arguments.operands()[1];
  check_free(arguments, to);
  const auto checkpoint = Checkpoint::open(find_model(around, arguments.operands()[0]), {.weights = false});
  const int64_t layers = checkpoint->config().integer("num_hidden_layers");
  ConvertOptions options;
  options.repeat = span_of(arguments, layers);
  const ConvertPlan plan = plan_convert(checkpoint, to, options);
  Interrupt interrupt;
  ThreadPool pool(static_cast<int>(arguments.integer("--threads", 0, 1, 1024)));
  {
    ProgressBar bar(around);
    convert(plan, to, pool, [&](const Progress& p) { return bar.show(p) && !interrupt.pressed(); });
  }
  *around.out << around.words(say("{} layers become {}: {} to {} come twice", layers,
                                  plan.config.integer("num_hidden_layers"), options.repeat->first,
                                  options.repeat->second - 1))
              << std::endl;
  return 0;
}

}  // namespace

Command upscale_command() {
  return {
      .name = "upscale",
      .operands = "IN OUT",
      .summary = say("a deeper model out of a model's own layers"),
      .about = {say("SOLAR's depth up-scaling: layers B to E-1 come twice, so that the first E layers are followed by "
                    "those from B on. 32 layers and 8:24 make SOLAR's 48. The result is a checkpoint of its own that "
                    "wants further training.")},
      .flags = {{"--repeat", "", "B:E", say("the layers that come twice (else all but the first and last quarter)")},
                {"--force", "", "", say("write over OUT")},
                {"--threads", "", "N", say("threads (else all processors); the bytes written do not depend on it")}},
      .examples = {{"madang upscale ./Mistral-7B ./solar --repeat 8:24", say("as SOLAR 10.7B was made")},
                   {"madang upscale model.gguf deeper.gguf", say("GGUF to GGUF")}},
      .run = run,
  };
}

}  // namespace madang
