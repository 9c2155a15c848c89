// madang imatrix: which weights meet large activations, for madang quantize.
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "compress/importance.h"
#include "engine/windows.h"

namespace madang {
namespace {

int run(const Arguments& arguments, Surroundings& around) {
  const auto file = arguments.text("--file"), to = arguments.text("--out");
  if (!file) throw Error(Kind::usage, say("{} is needed", "--file TEXT"));
  if (!to) throw Error(Kind::usage, say("{} is needed", "--out FILE"));
  check_free(arguments, *to);
  const auto checkpoint = open_checkpoint(arguments, around, arguments.operands()[0]);
  const auto tokenizer = checkpoint->tokenizer();
  if (!tokenizer) throw Error(Kind::missing, say("this model has no tokenizer")).at(checkpoint->path());
  auto ids = tokenizer->encode(*file == "-" ? read_all(*around.in) : read_whole_file(*file), false);
  if (const auto most = arguments.integer("--tokens", 2, INT64_MAX); most && *most < static_cast<int64_t>(ids.size()))
    ids.resize(static_cast<size_t>(*most));
  Importance importance;
  importance.dataset = *file;
  importance.chunk_tokens = arguments.integer("--window", 512, 2, int64_t{1} << 24);
  Workplace work(work_options(arguments, around, Compute::exact));
  work.observe([&](const Weight& weight, const Tensor& input) {
    for (int64_t t = 0; t < input.rows(); ++t)
      importance.add(std::string(weight.stored), weight.matrix, weight.matrices,
                     {input.row(t), static_cast<size_t>(input.cols())});
  });
  ProgressBar bar(around);
  const std::optional<int32_t> bos = tokenizer->add_bos() ? tokenizer->bos() : std::nullopt;
  importance.chunks = each_window(ids, importance.chunk_tokens, bos, checkpoint->model().vocabulary(), bar.listener(),
                                  [&](std::span<const int32_t> window) {
                                    WindowRun reading(checkpoint->model(), work, KvType::f32, window);
                                    while (reading.next()) {
                                    }
                                  });
  bar.clear();
  importance.write(*to);
  *around.err << around.words(say("{} matrices, {} windows of {} tokens", importance.size(), importance.chunks,
                                  importance.chunk_tokens))
              << std::endl;
  return 0;
}

}  // namespace

Command imatrix_command() {
  return {
      .name = "imatrix",
      .operands = "MODEL",
      .summary = say("which weights matter most, for quantize"),
      .about = {say(
          "The model reads a text; for every column of every matrix the mean square of what it is multiplied "
          "with is kept. The text should be like what the model will be used for, some ten thousand tokens of "
          "it. The file is llama.cpp's form (GGUF).")},
      .flags = joined({{"--file", "-f", "TEXT", say("the text (-: standard input)")},
                       {"--out", "-o", "FILE", say("where to write it")},
                       {"--window", "-w", "N", say("tokens in a window (512 if not given)")},
                       {"--tokens", "", "N", say("only the first N tokens")},
                       {"--config", "", "FILE", say("a config.json in place of the model's own")},
                       {"--force", "", "", say("write over the file")}},
                      work_flags(false)),
      .examples = {{"madang imatrix model-f16.gguf -f texts.txt -o model.imatrix", say("make one")},
                   {"madang quantize model-f16.gguf small.gguf -t IQ3_S --imatrix model.imatrix", say("and use it")}},
      .run = run,
  };
}

}  // namespace madang
