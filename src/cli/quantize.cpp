// madang quantize: a smaller file of the same model.
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "compress/quantize.h"
#include "convert/gguf_draft.h"
#include "store/bounds.h"

namespace madang {
namespace {

std::vector<std::pair<std::string, const Format*>> overrides_of(const Arguments& arguments) {
  std::vector<std::pair<std::string, const Format*>> out;
  for (const std::string& text : arguments.texts("--tensor")) {
    const size_t at = text.rfind('=');
    const Format* format = at == text.npos ? nullptr : format_by_name(std::string_view(text).substr(at + 1));
    if (!format || !format->in_files())
      throw Error(Kind::usage, say("{} wants a pattern and a format", "--tensor"))
          .expected("PATTERN=FORMAT")
          .found(text)
          .hint(say("for example {}", "--tensor 'blk.*.attn_v.weight=Q8_0'"));
    out.emplace_back(text.substr(0, at), format);
  }
  return out;
}

void show_tensors(const QuantizePlan& plan, bool written, Surroundings& around) {
  int name_width = 0;
  for (const PlannedTensor& t : plan.tensors) name_width = std::max(name_width, display_width(t.tensor->name));
  for (const PlannedTensor& t : plan.tensors) {
    if (!t.changes()) continue;
    std::string line =
        fmt::format("{}  {:>16}  {:>5} > {:<7} {:>9}", padded(t.tensor->name, name_width), shape_text(t.tensor->shape),
                    t.tensor->from->name, t.format->name, human_bytes(static_cast<double>(t.bytes)));
    if (written) line += fmt::format("  {:6.3f} %", 100 * t.relative_error);
    *around.out << line << '\n';
  }
}

Json as_json(const QuantizePlan& plan, bool written) {
  Json out = {{"type", plan.options.recipe->name},
              {"bytes", plan.bytes()},
              {"bits_per_weight", plan.bits_per_weight()},
              {"tensors", Json::array()}};
  for (const PlannedTensor& t : plan.tensors) {
    Json row = {{"name", t.tensor->name},
                {"from", t.tensor->from->name},
                {"to", t.format->name},
                {"bytes", t.bytes},
                {"importance", t.important}};
    if (written && t.changes()) row["relative_error"] = t.relative_error;
    out["tensors"].push_back(std::move(row));
  }
  return out;
}

void summarize(const QuantizePlan& plan, Surroundings& around) {
  int64_t before = 0;
  for (const PlannedTensor& t : plan.tensors) before += t.tensor->from->row_bytes(t.tensor->numel());
  *around.out << around.words(say("{} become {}, {} bits per weight", human_bytes(static_cast<double>(before)),
                                  human_bytes(static_cast<double>(plan.bytes())),
                                  fmt::format("{:.2f}", plan.bits_per_weight())))
              << std::endl;
}

void show_types(Surroundings& around) {
  for (const QuantizeRecipe& r : recipes())
    *around.out << fmt::format("{:8}  ", r.name) << around.words(r.note) << '\n';
}

int run(const Arguments& arguments, Surroundings& around) {
  if (arguments.has("--types")) return show_types(around), 0;
  if (arguments.operands().empty()) throw Error(Kind::usage, say("{} is needed", "IN"));
  const std::string& from = arguments.operands()[0];
  const auto type = arguments.text("--type");
  if (!type)
    throw Error(Kind::usage, say("{} is needed", "--type TYPE")).hint(say("usual: {}", "Q4_K_M, Q5_K_M, Q8_0"));
  QuantizeOptions options;
  options.recipe = &recipe_by_name(*type);
  options.pure = arguments.has("--pure");
  options.requantize = arguments.has("--requantize");
  options.without_importance = arguments.has("--without-imatrix");
  options.overrides = overrides_of(arguments);
  Importance importance;
  if (const auto file = arguments.text("--imatrix")) {
    importance = Importance::read(*file);
    options.importance = &importance, options.importance_name = *file;
  }
  QuantizePlan plan = plan_quantize(open_as_gguf(find_model(around, from)), options);
  const bool dry = arguments.has("--dry-run"), json = arguments.has("--json");
  if (!dry && arguments.operands().size() < 2) throw Error(Kind::usage, say("{} is needed", "OUT"));
  if (!dry) {
    const std::string& to = arguments.operands()[1];
    check_free(arguments, to);
    Interrupt interrupt;  // before there are threads: Ctrl-C leaves no half file behind
    ThreadPool pool(static_cast<int>(arguments.integer("--threads", 0, 1, 1024)));
    ProgressBar bar(around);
    quantize(plan, to, pool, [&](const Progress& p) { return bar.show(p) && !interrupt.pressed(); });
  }
  if (json) {
    *around.out << as_json(plan, !dry).dump(2) << '\n';
    return 0;
  }
  show_tensors(plan, !dry, around);
  summarize(plan, around);
  return 0;
}

}  // namespace

Command quantize_command() {
  return {
      .name = "quantize",
      .operands = "[IN] [OUT]",
      .summary = say("a smaller file of the same model"),
      .about = {say(
          "Reads a model, a GGUF file or a safetensors folder of any type, and writes a GGUF file with smaller "
          "weights. "
          "A type is a recipe: most matrices get its format, the ones that matter most get more bits. For every tensor "
          "the error is told, as a part of the weights' own size.")},
      .flags = {{"--type", "-t", "TYPE", say("Q4_K_M, Q8_0, IQ3_S, ...")},
                {"--types", "", "", say("list the types")},
                {"--imatrix", "", "FILE", say("an importance matrix, from madang imatrix or llama.cpp")},
                {"--tensor", "", "PATTERN=FORMAT", say("another format for the tensors of that name (* : any letters)"),
                 true},
                {"--pure", "", "", say("every matrix in the type's own format")},
                {"--dry-run", "", "", say("only show sizes and formats")},
                {"--requantize", "", "", say("take weights that are in fewer than eight bits already")},
                {"--without-imatrix", "", "", say("write formats below three bits without an importance matrix")},
                {"--force", "", "", say("write over OUT")},
                {"--threads", "", "N", say("threads (else all processors); the bytes written do not depend on it")},
                {"--json", "", "", say("as JSON, for programs")}},
      .examples = {{"madang quantize ./Llama-3.2-1B llama-q4.gguf --type Q4_K_M",
                    say("a repository in a quarter of its size")},
                   {"madang quantize model-f16.gguf --type IQ3_S --dry-run", say("how large would it be?")},
                   {"madang quantize model-f16.gguf small.gguf -t IQ2_XS --imatrix model.imatrix",
                    say("two bits, with care for the weights that matter")}},
      .run = run,
  };
}

}  // namespace madang
