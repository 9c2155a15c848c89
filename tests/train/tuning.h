// A frozen base with an adapter that is trained, or only heard.
#pragma once
#include "golden.h"

namespace madang::test {

struct Tuning {
  std::shared_ptr<const Source> source;
  std::shared_ptr<Adapter> adapter;
  std::unique_ptr<WeightStore> store;
  std::unique_ptr<Model> model;
  std::unique_ptr<Trainer> trainer;

  Tuning(const std::string& base, std::shared_ptr<Adapter> with, int threads)
      : source(open_source(base)), adapter(std::move(with)) {
    const Config config = source->config();
    store = std::make_unique<WeightStore>(source, config, Hold::mapped, adapter);
    model = build_model(config, store->root());
    store->finish();
    trainer =
        std::make_unique<Trainer>(*model, adapter->parameters(), TrainOptions{.threads = threads}, pick_kernels(""));
  }
  std::vector<float> logits(const std::vector<int32_t>& ids) const {
    ThreadPool pool(2);
    Arena arena;
    Ctx c{pool, arena, pick_kernels(""), Compute::exact, nullptr, {}};
    Step step;
    step.add(ids, nullptr, Step::Want::all);
    const Tensor y = model->forward(c, step);
    return {y.f32(), y.f32() + y.numel()};
  }
};

}  // namespace madang::test
