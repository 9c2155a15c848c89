#include "train/trainer.h"

#include <cmath>

#include "base/error.h"

namespace madang {

TrainBatch unpack(const std::vector<int32_t>& ids, const std::vector<int32_t>& labels,
                  const std::vector<int64_t>& positions) {
  if (labels.size() != ids.size() || positions.size() != ids.size())
    throw Error(Kind::mismatch, say("packed ids, labels and positions differ in number"))
        .found(fmt::format("{}, {}, {}", ids.size(), labels.size(), positions.size()));
  TrainBatch batch;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (positions[i] == 0)
      batch.emplace_back();
    else if (i == 0 || positions[i] != positions[i - 1] + 1)
      throw Error(Kind::mismatch, say("positions must count up from 0 in every packed row"))
          .expected(i == 0 ? "0" : fmt::format("0, {}", positions[i - 1] + 1))
          .found(std::to_string(positions[i]));
    batch.back().ids.push_back(ids[i]);
    batch.back().labels.push_back(labels[i]);
  }
  return batch;
}

Trainer::Trainer(const Model& model, const std::vector<Parameter>& parameters, const TrainOptions& options,
                 const Kernels& kernels)
    : model_(model),
      options_(options),
      pool_(options.threads),
      kernels_(kernels),
      optimizer_(parameters, options.optimizer) {
  if (parameters.empty())
    throw Error(Kind::usage, say("there are no weights to train")).hint(say("open the weights widened"));
}

double Trainer::run(const TrainBatch& batch, Tape* tape) {
  Step step;
  std::vector<int32_t> labels;
  for (const TrainRow& row : batch) {
    if (row.labels.size() != row.ids.size())
      throw Error(Kind::mismatch, say("a row needs one label for every token"))
          .expected(std::to_string(row.ids.size()))
          .found(std::to_string(row.labels.size()));
    if (row.ids.empty()) continue;
    const int64_t first = step.tokens();
    step.add(row.ids, nullptr, Step::Want::none);
    for (size_t t = 0; t + 1 < row.ids.size(); ++t) {
      if (row.labels[t + 1] == no_label) continue;
      step.wanted.push_back(static_cast<int32_t>(first + static_cast<int64_t>(t)));
      labels.push_back(row.labels[t + 1]);
    }
  }
  for (const std::vector<int32_t>* all : {&step.ids, &labels})
    for (int32_t id : *all)
      if (id < 0 || id >= model_.vocabulary())
        throw Error(Kind::mismatch, say("token id {} is outside the vocabulary", id))
            .expected(fmt::format("0 .. {}", model_.vocabulary() - 1));
  if (labels.empty()) return 0;
  arena_.rewind({});
  Ctx c{pool_, arena_, kernels_, Compute::exact, tape, {}};
  const double loss = cross_entropy(c, model_.forward(c, step), labels);
  if (tape) tape->backward();
  return loss;
}

double Trainer::loss(const TrainBatch& batch) { return run(batch, nullptr); }

double Trainer::gradients(const TrainBatch& batch) {
  optimizer_.clear_gradients();
  Tape tape(arena_);
  for (Trained& t : optimizer_.trained()) tape.want(t.value, t.gradient.f32());
  return run(batch, &tape);
}

TrainReport Trainer::step(const TrainBatch& batch) {
  TrainReport report{done_, learning_rate(options_.rate, done_, options_.warm_up, options_.steps), gradients(batch), 0};
  report.gradient_norm = optimizer_.gradient_norm();
  if (!std::isfinite(report.loss) || !std::isfinite(report.gradient_norm))
    throw Error(Kind::limit, say("training has diverged at step {}", done_))
        .found(fmt::format("loss {}, gradient norm {}", report.loss, report.gradient_norm))
        .hint(say("lower the learning rate"));
  optimizer_.step(pool_, report.rate, report.gradient_norm);
  ++done_;
  return report;
}

}  // namespace madang
