#include "engine/score.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/sampler.h"

namespace madang {
namespace {

// Rows of logits at a time: 32 rows of the largest vocabularies (262,144) are 32 MiB.
constexpr int32_t logit_rows = 32;

void check(const Model& model, std::span<const int32_t> ids) {
  for (int32_t id : ids)
    if (id < 0 || id >= model.vocabulary())
      throw Error(Kind::mismatch, say("token id {} lies outside the vocabulary", id))
          .expected(fmt::format("0 to {}", model.vocabulary() - 1));
}

void check_least(const char* field, int64_t value, int64_t least) {
  if (value < least)
    throw Error(Kind::usage, say("{} is outside its range", field))
        .expected(fmt::format(">= {}", least))
        .found(std::to_string(value));
}

void tell(const OnProgress& progress, Text what, int64_t done, int64_t total) {
  if (progress && !progress({.what = std::move(what), .done = done, .total = total}))
    throw Error(Kind::refused, say("stopped on request"));
}

}  // namespace

Logits logits_of(const Model& model, std::span<const int32_t> ids, const LogitsOptions& options) {
  const auto length = static_cast<int64_t>(ids.size());
  if (length == 0) throw Error(Kind::usage, say("the prompt has no tokens"));
  check_least("chunk", options.chunk, 1);
  check_least("greedy", options.greedy, 0);
  check(model, ids);
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
    tell(options.progress, say("reading"), state.length, state.limit);
  }
  for (int64_t i = 0; i < options.greedy; ++i) {
    out.greedy.push_back(best);
    if (i + 1 == options.greedy) break;  // the last one's own logits are not asked for
    feed(std::span(&out.greedy.back(), 1), Step::Want::last);
    tell(options.progress, say("reading"), state.length, state.limit);
  }
  return out;
}

namespace {

// -log p of every token of the window but its first, in order.
void score_window(const Model& model, Workplace& work, const PerplexityOptions& options,
                  std::span<const int32_t> window, std::vector<double>& losses) {
  const std::vector<StateSpec> specs = model.states();
  SequenceState state(specs, options.kv, static_cast<int64_t>(window.size()));
  for (size_t at = 0; at + 1 < window.size();) {
    const size_t n = std::min<size_t>(logit_rows, window.size() - 1 - at);
    Step step;
    step.add(window.subspan(at, n), &state, Step::Want::all);
    const Tensor logits = work.forward(model, step);  // [n, V]
    const size_t first = losses.size();
    losses.resize(first + n);
    work.pool().parallel(static_cast<int64_t>(n), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const std::span<const float> row(logits.row(i), static_cast<size_t>(logits.cols()));
        const auto target = static_cast<size_t>(window[at + static_cast<size_t>(i) + 1]);
        losses[first + static_cast<size_t>(i)] = log_sum_exp(row) - static_cast<double>(row[target]);
      }
    });
    at += n;
  }
}

}  // namespace

Perplexity perplexity(const Model& model, std::span<const int32_t> ids, const PerplexityOptions& options) {
  const auto length = static_cast<int64_t>(ids.size());
  check_least("window", options.window, 2);
  if (length < 2)
    throw Error(Kind::usage, say("the text has too few tokens to be scored"))
        .expected(">= 2")
        .found(std::to_string(length));
  check(model, ids);
  if (options.bos) check(model, std::span(&*options.bos, 1));
  Workplace work(options.work);
  const int64_t window = std::min(options.window, length);
  std::vector<double> losses;
  std::vector<int32_t> tokens;
  Perplexity out;
  for (int64_t at = 0; at + window <= length; at += window, ++out.windows) {
    const auto part = ids.subspan(static_cast<size_t>(at), static_cast<size_t>(window));
    tokens.assign(part.begin(), part.end());
    if (options.bos) tokens.front() = *options.bos;
    score_window(model, work, options, tokens, losses);
    tell(options.progress, say("scoring"), at + window, length / window * window);
  }
  const auto n = static_cast<double>(losses.size());
  double sum = 0, spread = 0;
  for (double loss : losses) sum += loss;
  for (double loss : losses) spread += (loss - sum / n) * (loss - sum / n);
  out.scored = static_cast<int64_t>(losses.size());
  out.value = std::exp(sum / n);
  out.standard_error = n > 1 ? out.value * std::sqrt(spread / (n - 1) / n) : 0;
  return out;
}

}  // namespace madang
