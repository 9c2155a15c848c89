// madang merge: a checkpoint with an adapter in it, or between two checkpoints.
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "train/merge.h"

namespace madang {
namespace {

DType type_of(const Arguments& arguments) {
  const std::string type = arguments.choice("--type").value_or("f32");
  return type == "f16" ? DType::f16 : type == "bf16" ? DType::bf16 : DType::f32;
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto& given = arguments.operands();
  const auto adapter = arguments.text("--lora");
  const auto linear = arguments.real("--linear", -1e3, 1e3), slerp = arguments.real("--slerp", 0, 1);
  if (adapter.has_value() + linear.has_value() + slerp.has_value() != 1)
    throw Error(Kind::usage, say("one of {} is needed", "--lora DIR, --slerp T, --linear W"));
  const size_t models = adapter ? 1 : 2;
  if (given.size() != models + 1)
    throw Error(Kind::usage, say("{} is needed", adapter ? "BASE OUT" : "A B OUT")).found(std::to_string(given.size()));
  const std::string& out = given.back();
  check_free(arguments, out);
  const std::string base = find_model(around, given[0]);
  Interrupt interrupt;  // before there are threads
  ThreadPool pool(static_cast<int>(arguments.integer("--threads", 0, 1, 1024)));
  ProgressBar bar(around);
  const OnProgress progress = [&](const Progress& p) { return bar.show(p) && !interrupt.pressed(); };
  if (adapter)
    merge_adapter(base, *adapter, out, type_of(arguments), pool, progress);
  else
    mix_checkpoints(base, find_model(around, given[1]), out, slerp ? Mix::slerp : Mix::linear, slerp ? *slerp : *linear,
                    progress);
  return 0;
}

}  // namespace

Command merge_command() {
  return {
      .name = "merge",
      .operands = "A [B] OUT",
      .summary = say("an adapter into its base, or two checkpoints into one"),
      .about = {say("Writes a folder with model.safetensors and A's configuration and tokenizer. With --lora the "
                    "adapter of peft's files is added to A's weights: what it touches becomes float32, so that the "
                    "merged model answers as A with --lora does. With --slerp or --linear every tensor of the result "
                    "lies between A's and B's.")},
      .flags = {{"--lora", "", "DIR", say("a LoRA adapter to add, as peft writes it")},
                {"--slerp", "", "T", say("along the arc from A (0) to B (1), tensor by tensor")},
                {"--linear", "", "W", say("(1 - W) A + W B")},
                {"--type", "", "f32|f16|bf16", say("of the tensors that the adapter changes (f32 if not given)")},
                {"--force", "", "", say("write over OUT")},
                {"--threads", "", "N", say("threads (else all processors); the bytes written do not depend on it")}},
      .examples = {{"madang merge ./model --lora ./adapter ./merged", say("a model of its own")},
                   {"madang merge ./a ./b ./between --slerp 0.5", say("half way between two fine-tuned models")}},
      .run = run,
  };
}

}  // namespace madang
