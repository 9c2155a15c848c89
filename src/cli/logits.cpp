// madang logits: what a model says about given tokens, as numbers in a file. The exact arithmetic is the default: this
// is how madang is judged.
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "engine/score.h"
#include "store/safetensors.h"

namespace madang {
namespace {

std::vector<int32_t> given_ids(const Arguments& arguments, Surroundings& around) {
  const auto ids = arguments.text("--ids"), file = arguments.text("--ids-file");
  if (ids.has_value() == file.has_value())
    throw Error(Kind::usage, say("one of {} and {} is needed", "--ids", "--ids-file"));
  if (ids) return parse_ids(*ids, "--ids");
  return *file == "-" ? parse_ids(read_all(*around.in), "stdin") : parse_ids(read_whole_file(*file), *file);
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto out = arguments.text("--out");
  if (!out) throw Error(Kind::usage, say("{} is needed", "--out FILE.safetensors"));
  const auto ids = given_ids(arguments, around);
  ProgressBar bar(around);
  LogitsOptions options;
  options.work = work_options(arguments, around, Compute::exact);
  options.kv = kv_type(arguments, KvType::f32);
  options.chunk = arguments.integer("--chunk", options.chunk, 1, int64_t{1} << 20);
  options.greedy = arguments.integer("--greedy", 0, 0, int64_t{1} << 24);
  options.progress = bar.listener();
  const auto checkpoint = open_checkpoint(arguments, around, arguments.operands()[0]);
  Logits logits = logits_of(checkpoint->model(), ids, options);
  std::vector<int64_t> greedy(logits.greedy.begin(), logits.greedy.end());
  std::vector<NamedTensor> tensors = {
      {"logits", {logits.values.data(), DType::f32, {logits.tokens, logits.vocabulary}}}};
  if (!greedy.empty())
    tensors.push_back({"greedy_ids", {greedy.data(), DType::i64, {static_cast<int64_t>(greedy.size())}}});
  write_safetensors(*out, tensors);
  return 0;
}

}  // namespace

Command logits_command() {
  return {
      .name = "logits",
      .operands = "MODEL",
      .summary = say("a model's raw numbers for given token ids"),
      .about = {say("Writes a safetensors file with `logits`, float32 [tokens, vocabulary], and with --greedy also "
                    "`greedy_ids`, int64 [N], each computed through the cache.")},
      .flags = joined({{"--ids", "", "5,6,7", say("the token ids")},
                       {"--ids-file", "", "FILE", say("token ids from a file (-: standard input)")},
                       {"--out", "-o", "FILE", say("the safetensors file to write")},
                       {"--greedy", "", "N", say("also the N likeliest next tokens, each fed back")},
                       {"--chunk", "", "N", say("tokens at a time; the numbers do not depend on it")},
                       {"--config", "", "FILE", say("a config.json in place of the model's own")}},
                      joined(adapter_flags(), work_flags(false))),
      .examples =
          {{"madang logits ./model --ids 1,2,3 --out out.safetensors", say("the logits after each of three tokens")},
           {"madang tokenize ./model -p \"Hello\" | madang logits ./model --ids-file - --greedy 8 --out o.safetensors",
            say("of a text, with eight more tokens")}},
      .run = run,
  };
}

}  // namespace madang
