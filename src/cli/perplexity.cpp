// madang perplexity: how well a model foresees a text; lower is better.
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "engine/score.h"

namespace madang {
namespace {

std::vector<int32_t> tokens_of(const Arguments& arguments, Surroundings& around, const Tokenizer& tokenizer) {
  const auto file = arguments.text("--file");
  if (!file) throw Error(Kind::usage, say("{} is needed", "--file TEXT"));
  auto ids = tokenizer.encode(*file == "-" ? read_all(*around.in) : read_whole_file(*file), false);
  if (tokenizer.add_bos() && tokenizer.bos()) ids.insert(ids.begin(), *tokenizer.bos());
  if (const auto most = arguments.integer("--tokens", 2, INT64_MAX); most && *most < static_cast<int64_t>(ids.size()))
    ids.resize(static_cast<size_t>(*most));
  return ids;
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto checkpoint = open_checkpoint(arguments, around, arguments.operands()[0]);
  const auto tokenizer = checkpoint->tokenizer();
  if (!tokenizer) throw Error(Kind::missing, say("this model has no tokenizer")).at(checkpoint->path());
  ProgressBar bar(around);
  PerplexityOptions options;
  options.work = work_options(arguments, around, Compute::exact);
  options.kv = kv_type(arguments, KvType::f32);
  options.window = arguments.integer("--window", options.window, 2, int64_t{1} << 24);
  if (tokenizer->add_bos()) options.bos = tokenizer->bos();
  options.progress = bar.listener();
  const Perplexity p = perplexity(checkpoint->model(), tokens_of(arguments, around, *tokenizer), options);
  bar.clear();
  if (arguments.has("--json")) {
    *around.out << Json{{"perplexity", p.value},
                        {"standard_error", p.standard_error},
                        {"scored_tokens", p.scored},
                        {"windows", p.windows},
                        {"window", options.window}}
                       .dump(2)
                << '\n';
  } else {
    *around.out << fmt::format("{:.4f} ± {:.4f}\n", p.value, p.standard_error);
    *around.err << around.words(say("{} tokens scored in {} windows of {}", p.scored, p.windows, options.window))
                << std::endl;
  }
  return 0;
}

}  // namespace

Command perplexity_command() {
  return {
      .name = "perplexity",
      .operands = "MODEL",
      .summary = say("how well a model foresees a text, with standard error"),
      .about = {say(
          "The text is cut into windows that do not overlap; every token of a window but its first is scored. "
          "Where the model wants BOS, it takes the place of each window's first token. The standard error takes "
          "the tokens as independent.")},
      .flags = joined({{"--file", "-f", "TEXT", say("the text (-: standard input)")},
                       {"--window", "-w", "N", say("tokens in a window (512 if not given)")},
                       {"--tokens", "", "N", say("only the first N tokens")},
                       {"--config", "", "FILE", say("a config.json in place of the model's own")},
                       {"--json", "", "", say("as JSON, for programs")}},
                      work_flags(false)),
      .examples = {{"madang perplexity smollm2-135m-instruct -f book.txt --tokens 4096",
                    say("of the first 4096 tokens of a book")},
                   {"madang perplexity ./model -f book.txt --compute fast",
                    say("what the fast kernels cost: compare with exact")}},
      .run = run,
  };
}

}  // namespace madang
