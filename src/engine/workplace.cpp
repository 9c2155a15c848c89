#include "engine/workplace.h"

#include "base/error.h"

namespace madang {
namespace {

int checked(int threads) {
  // More than any machine has: beyond it lies a slip of the hand.
  if (threads < 0 || threads > 1024)
    throw Error(Kind::usage, say("{} is outside its range", "threads"))
        .expected("0 to 1024")
        .found(std::to_string(threads));
  return threads;
}

}  // namespace

Workplace::Workplace(const WorkOptions& options)
    : pool_(checked(options.threads)), kernels_(pick_kernels(options.kernels)), compute_(options.compute) {}

Tensor Workplace::run(const Model& model, Step& step, Tensor (Model::*what)(Ctx&, const Step&) const) {
  arena_.rewind({});
  Ctx c{pool_, arena_, kernels_, compute_, nullptr, observer_};
  Tensor result = (model.*what)(c, step);
  step.advance();
  return result;
}

Tensor Workplace::forward(const Model& model, Step& step) { return run(model, step, &Model::forward); }
Tensor Workplace::hidden(const Model& model, Step& step) { return run(model, step, &Model::hidden); }

}  // namespace madang
