#include "engine/windows.h"

#include <algorithm>

#include "base/stop.h"
#include "engine/sampler.h"

namespace madang {

WindowRun::WindowRun(const Model& model, Workplace& work, KvType kv, std::span<const int32_t> window)
    : model_(model),
      work_(work),
      window_(window),
      specs_(model.states()),
      state_(specs_, kv, static_cast<int64_t>(window.size())) {}

Tensor WindowRun::next() {
  begin_ = end_;
  const size_t n = std::min(static_cast<size_t>(logit_rows), window_.size() - 1 - begin_);
  if (n == 0) return {};
  Step step;
  step.add(window_.subspan(begin_, n), &state_, Step::Want::all);
  end_ += n;
  const Tensor logits = work_.forward(model_, step);
  if (std::any_of(logits.f32(), logits.f32() + logits.numel(), [](float x) { return std::isnan(x); }))
    throw not_numbers();
  return logits;
}

void check_ids(std::span<const int32_t> ids, int64_t vocabulary) {
  for (int32_t id : ids)
    if (id < 0 || id >= vocabulary)
      throw Error(Kind::mismatch, say("token id {} lies outside the vocabulary", id))
          .expected(fmt::format("0 to {}", vocabulary - 1));
}

int64_t each_window(std::span<const int32_t> ids, int64_t window, std::optional<int32_t> bos, int64_t vocabulary,
                    const OnProgress& progress, const std::function<void(std::span<const int32_t>)>& each) {
  const auto length = static_cast<int64_t>(ids.size());
  if (window < 2)
    throw Error(Kind::usage, say("{} is outside its range", "window")).expected(">= 2").found(std::to_string(window));
  if (length < 2)
    throw Error(Kind::usage, say("the text has too few tokens to be scored"))
        .expected(">= 2")
        .found(std::to_string(length));
  check_ids(ids, vocabulary);
  if (bos) check_ids(std::span(&*bos, 1), vocabulary);
  window = std::min(window, length);
  int64_t windows = 0;
  std::vector<int32_t> tokens;
  for (int64_t at = 0; at + window <= length; at += window, ++windows) {
    const auto part = ids.subspan(static_cast<size_t>(at), static_cast<size_t>(window));
    tokens.assign(part.begin(), part.end());
    if (bos) tokens.front() = *bos;
    each(tokens);
    tell(progress, {.what = say("scoring"), .done = at + window, .total = length / window * window});
  }
  return windows;
}

Mean mean_of(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, spread = 0;
  for (double v : values) sum += v;
  for (double v : values) spread += (v - sum / n) * (v - sum / n);
  return {sum / n, n > 1 ? std::sqrt(spread / (n - 1) / n) : 0};
}

}  // namespace madang
