// madang merge: a checkpoint with an adapter in it, or between two checkpoints.
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "convert/merged.h"

namespace madang {
namespace {

const Format* type_of(const Arguments& arguments) {
  const auto type = arguments.choice("--type");
  return type ? format_by_name(*type) : nullptr;
}

struct Wanted {
  std::string base, second, adapter, out;
  Mix mix = Mix::linear;
  double t = 0;
  const Format* type = nullptr;
};

// A repository's own files tensor by tensor, where both sides are such: nothing of them is lost. All else by layers.
void merge(const Wanted& w, ThreadPool& pool, const OnProgress& progress) {
  const auto plain = [](const std::string& path) { return path.empty() || is_plain_repository(*open_source(path)); };
  if (!w.out.ends_with(".gguf") && (w.second.empty() || !w.type) && plain(w.base) && plain(w.second)) {
    if (w.second.empty()) return merge_adapter(w.base, w.adapter, w.out, w.type ? *w.type : f32_format, pool, progress);
    return mix_checkpoints(w.base, w.second, w.out, w.mix, w.t, progress);
  }
  const auto open = [](const std::string& path) { return Checkpoint::open(path, {.weights = false}); };
  convert(w.second.empty() ? plan_merge(open(w.base), w.adapter, w.out, w.type, pool)
                           : plan_mix(open(w.base), open(w.second), w.out, w.mix, w.t, w.type),
          w.out, pool, progress);
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto& given = arguments.operands();
  const auto adapter = arguments.text("--lora");
  const auto linear = arguments.real("--linear", -1e3, 1e3), slerp = arguments.real("--slerp", 0, 1);
  if (adapter.has_value() + linear.has_value() + slerp.has_value() != 1)
    throw Error(Kind::usage, say("one of {} is needed", "--lora PATH, --slerp T, --linear W"));
  const size_t models = adapter ? 1 : 2;
  if (given.size() != models + 1)
    throw Error(Kind::usage, say("{} is needed", adapter ? "BASE OUT" : "A B OUT")).found(std::to_string(given.size()));
  const std::string& out = given.back();
  check_free(arguments, out);
  const Wanted wanted{.base = find_model(around, given[0]),
                      .second = adapter ? "" : find_model(around, given[1]),
                      .adapter = adapter.value_or(""),
                      .out = out,
                      .mix = slerp ? Mix::slerp : Mix::linear,
                      .t = slerp ? *slerp : linear.value_or(0),
                      .type = type_of(arguments)};
  Interrupt interrupt;  // before there are threads
  ThreadPool pool(static_cast<int>(arguments.integer("--threads", 0, 1, 1024)));
  ProgressBar bar(around);
  merge(wanted, pool, [&](const Progress& p) { return bar.show(p) && !interrupt.pressed(); });
  return 0;
}

}  // namespace

Command merge_command() {
  return {
      .name = "merge",
      .operands = "A [B] OUT",
      .summary = say("an adapter into its base, or two checkpoints into one"),
      .about = {say(
          "OUT ending with .gguf is a GGUF file, any other OUT a folder as Hugging Face repositories are, with "
          "A's configuration and tokenizer; A and B may be any files that madang reads. With --lora the "
          "adapter, of peft's files or GGUF, is added to A's weights: what it touches becomes float32, so that the "
          "merged model answers as A with --lora does. With --slerp or --linear every tensor of the result "
          "lies between A's and B's.")},
      .flags = {{"--lora", "", "PATH", say("a LoRA adapter to add: a folder as peft writes it, or a GGUF file")},
                {"--slerp", "", "T", say("along the arc from A (0) to B (1), tensor by tensor")},
                {"--linear", "", "W", say("(1 - W) A + W B")},
                {"--type", "", "f32|f16|bf16|q8_0", say("of the matrices that change (q8_0: GGUF only)")},
                {"--force", "", "", say("write over OUT")},
                {"--threads", "", "N", say("threads (else all processors); the bytes written do not depend on it")}},
      .examples = {{"madang merge ./model --lora ./adapter ./merged", say("a model of its own")},
                   {"madang merge model-f16.gguf --lora ./adapter merged.gguf --type f16", say("the same as GGUF")},
                   {"madang merge ./a ./b ./between --slerp 0.5", say("half way between two fine-tuned models")}},
      .run = run,
  };
}

}  // namespace madang
