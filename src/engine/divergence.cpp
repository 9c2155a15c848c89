#include "engine/divergence.h"

#include <algorithm>

#include "base/error.h"
#include "engine/sampler.h"

namespace madang {
namespace {

struct Position {
  double kl, surprise, base_surprise, same_top, squared_change;
};

Position compare(std::span<const float> model, std::span<const float> base, size_t target) {
  const double norm = log_sum_exp(model), base_norm = log_sum_exp(base);
  double kl = 0;
  for (size_t i = 0; i < model.size(); ++i) {
    const double log_p = static_cast<double>(base[i]) - base_norm;
    kl += std::exp(log_p) * (log_p - (static_cast<double>(model[i]) - norm));
  }
  const double surprise = norm - static_cast<double>(model[target]),
               base_surprise = base_norm - static_cast<double>(base[target]),
               change = std::exp(-surprise) - std::exp(-base_surprise);
  const bool same = std::ranges::max_element(model) - model.begin() == std::ranges::max_element(base) - base.begin();
  return {kl, surprise, base_surprise, same ? 1.0 : 0.0, change * change};
}

template <class Value>
std::vector<double> each(const std::vector<Position>& positions, Value value) {
  std::vector<double> out;
  out.reserve(positions.size());
  for (const Position& p : positions) out.push_back(value(p));
  return out;
}

}  // namespace

Divergence divergence(const Model& model, const Model& base, std::span<const int32_t> ids,
                      const DivergenceOptions& options) {
  if (model.vocabulary() != base.vocabulary())
    throw Error(Kind::mismatch, say("the two models have different vocabularies"))
        .expected(std::to_string(base.vocabulary()))
        .found(std::to_string(model.vocabulary()));
  Workplace work(options.model.work), base_work(options.base_work);
  std::vector<Position> positions;
  Divergence out;
  out.windows = each_window(
      ids, options.model.window, options.model.bos, model.vocabulary(), options.model.progress,
      [&](std::span<const int32_t> window) {
        WindowRun run(model, work, options.model.kv, window), base_run(base, base_work, KvType::f32, window);
        for (Tensor logits = run.next(); logits; logits = run.next()) {
          const Tensor base_logits = base_run.next();
          const size_t first = positions.size();
          positions.resize(first + static_cast<size_t>(logits.rows()));
          work.pool().parallel(logits.rows(), 1, [&](int64_t begin, int64_t end) {
            const auto width = static_cast<size_t>(logits.cols());
            for (int64_t i = begin; i < end; ++i)
              positions[first + static_cast<size_t>(i)] =
                  compare({logits.row(i), width}, {base_logits.row(i), width}, static_cast<size_t>(run.target(i)));
          });
        }
      });
  std::vector<double> kl = each(positions, [](const Position& p) { return p.kl; });
  out.kl = mean_of(kl);
  std::ranges::sort(kl);
  out.kl_median = kl[kl.size() / 2], out.kl_99 = kl[(kl.size() - 1) * 99 / 100], out.kl_most = kl.back();
  out.perplexity = std::exp(mean_of(each(positions, [](const Position& p) { return p.surprise; })).value);
  out.base_perplexity = std::exp(mean_of(each(positions, [](const Position& p) { return p.base_surprise; })).value);
  out.log_ratio = mean_of(each(positions, [](const Position& p) { return p.surprise - p.base_surprise; }));
  out.same_top = mean_of(each(positions, [](const Position& p) { return p.same_top; }));
  out.squared_change = mean_of(each(positions, [](const Position& p) { return p.squared_change; }));
  out.scored = static_cast<int64_t>(positions.size());
  return out;
}

}  // namespace madang
