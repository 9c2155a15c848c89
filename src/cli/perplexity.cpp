// madang perplexity: how well a model foresees a text; lower is better.
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "engine/divergence.h"

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

PerplexityOptions options_of(const Arguments& arguments, Surroundings& around, const Tokenizer& tokenizer,
                             ProgressBar& bar) {
  PerplexityOptions options;
  options.work = work_options(arguments, around, Compute::exact);
  options.kv = kv_type(arguments, KvType::f32);
  options.window = arguments.integer("--window", options.window, 2, int64_t{1} << 24);
  if (tokenizer.add_bos()) options.bos = tokenizer.bos();
  options.progress = bar.listener();
  return options;
}

void show(const Perplexity& p, int64_t window, bool json, Surroundings& around) {
  if (json) {
    *around.out << Json{{"perplexity", p.value},
                        {"standard_error", p.standard_error},
                        {"scored_tokens", p.scored},
                        {"windows", p.windows},
                        {"window", window}}
                       .dump(2)
                << '\n';
    return;
  }
  *around.out << fmt::format("{:.4f} ± {:.4f}\n", p.value, p.standard_error);
  *around.err << around.words(say("{} tokens scored in {} windows of {}", p.scored, p.windows, window)) << std::endl;
}

void show(const Divergence& d, int64_t window, bool json, Surroundings& around) {
  if (json) {
    auto mean = [](const Mean& m) { return Json{{"mean", m.value}, {"standard_error", m.error}}; };
    Json kl = mean(d.kl);
    kl["median"] = d.kl_median, kl["99_percent"] = d.kl_99, kl["largest"] = d.kl_most;
    *around.out << Json{{"perplexity", d.perplexity},
                        {"base_perplexity", d.base_perplexity},
                        {"log_ratio", mean(d.log_ratio)},
                        {"kl_divergence", kl},
                        {"same_top_token", mean(d.same_top)},
                        {"rms_probability_change", std::sqrt(d.squared_change.value)},
                        {"scored_tokens", d.scored},
                        {"windows", d.windows},
                        {"window", window}}
                       .dump(2)
                << '\n';
    return;
  }
  auto row = [&](const Text& what, const std::string& value) {
    *around.out << padded(around.words(what), 38) << value << '\n';
  };
  row(say("KL divergence (nats a token)"), fmt::format("{:.6f} ± {:.6f}", d.kl.value, d.kl.error));
  row(say("  median, 99 percent, largest"), fmt::format("{:.6f}  {:.6f}  {:.6f}", d.kl_median, d.kl_99, d.kl_most));
  row(say("perplexity"), fmt::format("{:.4f}", d.perplexity));
  row(say("perplexity of the base"), fmt::format("{:.4f}", d.base_perplexity));
  row(say("log of their ratio"), fmt::format("{:.6f} ± {:.6f}", d.log_ratio.value, d.log_ratio.error));
  row(say("same most likely token"), fmt::format("{:.2f} ± {:.2f} %", 100 * d.same_top.value, 100 * d.same_top.error));
  row(say("change of the right token's p (rms)"), fmt::format("{:.3f} %", 100 * std::sqrt(d.squared_change.value)));
  *around.err << around.words(say("{} tokens scored in {} windows of {}", d.scored, d.windows, window)) << std::endl;
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto checkpoint = open_checkpoint(arguments, around, arguments.operands()[0]);
  const auto tokenizer = checkpoint->tokenizer();
  if (!tokenizer) throw Error(Kind::missing, say("this model has no tokenizer")).at(checkpoint->path());
  ProgressBar bar(around);
  const PerplexityOptions options = options_of(arguments, around, *tokenizer, bar);
  const bool json = arguments.has("--json");
  const auto ids = tokens_of(arguments, around, *tokenizer);
  if (const auto base_name = arguments.text("--kl")) {
    const auto base = Checkpoint::open(find_model(around, *base_name));
    const Divergence d = divergence(checkpoint->model(), base->model(), ids,
                                    {.model = options, .base_work = {.threads = options.work.threads}});
    bar.clear();
    show(d, options.window, json, around);
  } else {
    const Perplexity p = perplexity(checkpoint->model(), ids, options);
    bar.clear();
    show(p, options.window, json, around);
  }
  return 0;
}

}  // namespace

Command perplexity_command() {
  return {
      .name = "perplexity",
      .operands = "MODEL",
      .summary = say("how well a model foresees a text, with standard error"),
      .about =
          {say("The text is cut into windows that do not overlap; every token of a window but its first is scored. "
               "Where the model wants BOS, it takes the place of each window's first token. The standard error takes "
               "the tokens as independent."),
           say("With --kl both models read the text side by side, the base exactly and with a float32 cache. A model "
               "against itself shows what --compute fast or a --kv-type costs.")},
      .flags =
          joined({{"--file", "-f", "TEXT", say("the text (-: standard input)")},
                  {"--window", "-w", "N", say("tokens in a window (512 if not given)")},
                  {"--tokens", "", "N", say("only the first N tokens")},
                  {"--kl", "", "BASE", say("compare with this model: KL divergence, changes of the likeliest token")},
                  {"--config", "", "FILE", say("a config.json in place of the model's own")},
                  {"--json", "", "", say("as JSON, for programs")}},
                 joined(adapter_flags(), work_flags(false))),
      .examples = {{"madang perplexity smollm2-135m-instruct -f book.txt --tokens 4096",
                    say("of the first 4096 tokens of a book")},
                   {"madang perplexity ./model -f book.txt --compute fast",
                    say("what the fast kernels cost: compare with exact")},
                   {"madang perplexity small.gguf --kl model-f16.gguf -f book.txt", say("what quantization cost")},
                   {"madang perplexity ./model --kl ./model --kv-type q8 -f book.txt",
                    say("what an 8-bit cache costs")}},
      .run = run,
  };
}

}  // namespace madang
