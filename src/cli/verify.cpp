// madang verify: whether two checkpoints are the same model, and what a conversion cost.
#include <algorithm>
#include <iostream>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "convert/verify.h"

namespace madang {
namespace {

std::vector<int32_t> ids_of(const Arguments& arguments, const Checkpoint& a) {
  if (const auto ids = arguments.text("--ids")) return parse_ids(*ids, "--ids");
  const auto prompt = arguments.text("--prompt");
  if (!prompt) return {};
  if (!a.tokenizer()) throw Error(Kind::missing, say("this model has no tokenizer")).at(a.path());
  auto ids = a.tokenizer()->encode(*prompt, true);
  if (a.tokenizer()->add_bos() && a.tokenizer()->bos()) ids.insert(ids.begin(), *a.tokenizer()->bos());
  return ids;
}

const char* word_of(Verdict v) {
  return v == Verdict::same       ? "same"
         : v == Verdict::rounding ? "rounding"
         : v == Verdict::close    ? "close"
                                  : "different";
}

Text sentence_of(const Verification& v) {
  if (!v.same_tokenizer) return say("DIFFERENT: the tokenizers cut texts differently");
  if (v.verdict == Verdict::same) return say("SAME: every weight is equal, and so is what the models say");
  if (v.verdict == Verdict::rounding) return say("SAME up to rounding");
  if (v.verdict == Verdict::close) return say("CLOSE: what quantization costs");
  return say("DIFFERENT: the models say different things");
}

Json as_json(const Verification& v) {
  Json out = {{"verdict", word_of(v.verdict)},
              {"kl_divergence", {{"mean", v.kl_mean}, {"largest", v.kl_most}}},
              {"largest_logit", v.largest_logit},
              {"largest_difference", v.largest_difference},
              {"positions", v.positions},
              {"same_top_token", v.same_top},
              {"greedy", {{"tokens", v.greedy}, {"same", v.greedy_same}}},
              {"same_tokenizer", v.same_tokenizer},
              {"same_template", v.same_template},
              {"same_ends", v.same_ends},
              {"tensors", Json::array()}};
  for (const TensorDifference& d : v.tensors)
    out["tensors"].push_back(
        {{"name", d.name}, {"a", d.from}, {"b", d.to}, {"relative_error", d.relative}, {"largest", d.largest}});
  return out;
}

void show(const Verification& v, bool all, Surroundings& around) {
  std::vector<TensorDifference> rows = v.tensors;
  std::ranges::sort(rows,
                    [](auto& a, auto& b) { return std::tuple(-a.relative, a.name) < std::tuple(-b.relative, b.name); });
  const auto differ = std::ranges::count_if(rows, [](auto& d) { return d.relative != 0; });
  if (!all) rows.resize(std::min<size_t>(rows.size(), static_cast<size_t>(std::min<int64_t>(differ, 5))));
  int width = 0;
  for (const auto& d : rows) width = std::max(width, display_width(d.name));
  for (const auto& d : rows)
    *around.out << fmt::format("{}  {:>6} {:>6}  {:10.6f} %  {:.3g}\n", padded(d.name, width), d.from, d.to,
                               100 * d.relative, d.largest);
  auto row = [&](const Text& what, const std::string& value) {
    *around.out << padded(around.words(what), 34) << value << '\n';
  };
  auto yes = [&](bool same) { return around.words(same ? say("the same") : say("different")); };
  row(say("tensors that differ"), fmt::format("{} / {}", differ, v.tensors.size()));
  row(say("largest difference of a logit"), fmt::format("{:.3g} / {:.3g}", v.largest_difference, v.largest_logit));
  row(say("KL divergence, mean and largest"), fmt::format("{:.3g}  {:.3g}", v.kl_mean, v.kl_most));
  row(say("same most likely token"), fmt::format("{} / {}", v.same_top, v.positions));
  row(say("greedy tokens alike"), fmt::format("{} / {}", v.greedy_same, v.greedy));
  row(say("tokenizer"), yes(v.same_tokenizer));
  row(say("chat template"), yes(v.same_template));
  row(say("ends of answers"), yes(v.same_ends));
  *around.out << styled(around, v.verdict == Verdict::different ? Style::warning : Style::bold,
                        around.words(sentence_of(v)))
              << '\n';
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto a = Checkpoint::open(find_model(around, arguments.operands()[0]));
  const auto b = Checkpoint::open(find_model(around, arguments.operands()[1]));
  VerifyOptions options;
  options.ids = ids_of(arguments, *a);
  options.tokens = arguments.integer("--tokens", options.tokens, 1, 1 << 16);
  options.greedy = arguments.integer("--greedy", options.greedy, 0, 1 << 16);
  options.most_kl = arguments.real("--most-kl", 0, 1e9).value_or(options.most_kl);
  options.work = work_options(arguments, around, Compute::exact);
  Verification v;
  {
    ProgressBar bar(around);
    options.progress = bar.listener();
    v = verify(*a, *b, options);
  }
  if (arguments.has("--json"))
    *around.out << as_json(v).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  else
    show(v, arguments.has("--tensors"), around);
  return v.verdict == Verdict::different ? static_cast<int>(Kind::mismatch) : 0;
}

}  // namespace

Command verify_command() {
  return {
      .name = "verify",
      .operands = "A B",
      .summary = say("whether two files are the same model"),
      .about = {say(
          "Compares every weight, then what both models say about the same tokens: the KL divergence of B from "
          "A, the most likely tokens, a greedy continuation, and tokenizer and template. Ends with one verdict; "
          "the exit code is 6 where it is DIFFERENT.")},
      .flags = {{"--prompt", "-p", "TEXT", say("compare on this text (else on tokens drawn with a fixed seed)")},
                {"--ids", "", "IDS", say("compare on these token ids")},
                {"--tokens", "", "N", say("so many drawn tokens (64 if not given)")},
                {"--greedy", "", "N", say("tokens to continue with (16 if not given)")},
                {"--most-kl", "", "X", say("up to this mean KL divergence, in nats, models count as close (0.01)")},
                {"--tensors", "", "", say("show every tensor, not the five that differ most")},
                {"--threads", "-t", "N", say("threads that compute (else: all processors of this process)")},
                {"--compute", "", "exact|fast",
                 say("exact: float32 throughout (the default here); fast: integer kernels")},
                {"--json", "", "", say("as JSON, for programs")}},
      .examples = {{"madang verify ./model model.gguf", say("after a conversion")},
                   {"madang verify model-f16.gguf model-q4.gguf --most-kl 0.1 -p \"Seoul is\"",
                    say("after quantization, on a text")}},
      .run = run,
  };
}

}  // namespace madang
