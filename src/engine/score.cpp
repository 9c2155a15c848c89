#include "engine/score.h"

#include <algorithm>
#include <cmath>

#include "base/stop.h"
#include "engine/sampler.h"
#include "engine/windows.h"

namespace madang {
namespace {

void check_least(const char* field, int64_t value, int64_t least) {
  if (value < least)
    throw Error(Kind::usage, say("{} is outside its range", field))
        .expected(fmt::format(">= {}", least))
        .found(std::to_string(value));
}

double surprise(const Tensor& logits, int64_t row, int32_t target) {
  const std::span<const float> values(logits.row(row), static_cast<size_t>(logits.cols()));
  return log_sum_exp(values) - static_cast<double>(values[static_cast<size_t>(target)]);
}

}  // namespace

Logits logits_of(const Model& model, std::span<const int32_t> ids, const LogitsOptions& options) {
  const auto length = static_cast<int64_t>(ids.size());
  if (length == 0) throw Error(Kind::usage, say("the prompt has no tokens"));
  check_least("chunk", options.chunk, 1);
  check_least("greedy", options.greedy, 0);
  check_ids(ids, model.vocabulary());
  Workplace work(options.work);
  const std::vector<StateSpec> specs = model.states();
  SequenceState state(specs, options.kv, length + options.greedy);
  Logits out{.tokens = length, .vocabulary = model.vocabulary()};
  out.values.reserve(static_cast<size_t>(length * out.vocabulary));
  int32_t best = 0;
  auto feed = [&](std::span<const int32_t> tokens, Step::Want want) {
    Step step;
    step.add(tokens, &state, want);
    const Tensor logits = work.forward(model, step);
    best = static_cast<int32_t>(std::max_element(logits.row(logits.rows() - 1), logits.row(logits.rows())) -
                                logits.row(logits.rows() - 1));
    return std::span<const float>(logits.f32(), static_cast<size_t>(logits.numel()));
  };
  for (int64_t at = 0; at < length; at += options.chunk) {
    const auto rows =
        feed(ids.subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(options.chunk, length - at))),
             Step::Want::all);
    out.values.insert(out.values.end(), rows.begin(), rows.end());
    tell(options.progress, {.what = say("reading"), .done = state.length, .total = state.limit});
  }
  for (int64_t i = 0; i < options.greedy; ++i) {
    out.greedy.push_back(best);
    if (i + 1 == options.greedy) break;  // the last one's own logits are not asked for
    feed(std::span(&out.greedy.back(), 1), Step::Want::last);
    tell(options.progress, {.what = say("reading"), .done = state.length, .total = state.limit});
  }
  return out;
}

Perplexity perplexity(const Model& model, std::span<const int32_t> ids, const PerplexityOptions& options) {
  Workplace work(options.work);
  std::vector<double> losses;  // -log p of every token of a window but its first
  Perplexity out;
  out.windows = each_window(ids, options.window, options.bos, model.vocabulary(), options.progress,
                            [&](std::span<const int32_t> window) {
                              WindowRun run(model, work, options.kv, window);
                              for (Tensor logits = run.next(); logits; logits = run.next()) {
                                const size_t first = losses.size();
                                losses.resize(first + static_cast<size_t>(logits.rows()));
                                work.pool().parallel(logits.rows(), 1, [&](int64_t begin, int64_t end) {
                                  for (int64_t i = begin; i < end; ++i)
                                    losses[first + static_cast<size_t>(i)] = surprise(logits, i, run.target(i));
                                });
                              }
                            });
  const Mean mean = mean_of(losses);
  out.scored = static_cast<int64_t>(losses.size());
  out.value = std::exp(mean.value);
  out.standard_error = out.value * mean.error;
  return out;
}

}  // namespace madang
