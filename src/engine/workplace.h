// Where forwards run: threads, working memory, kernels. One forward at a time; its logits live until the next.
#pragma once
#include <string>

#include "models/model.h"

namespace madang {

struct WorkOptions {
  int threads = 0;  ///< 0: all processors of this process
  Compute compute = Compute::exact;
  std::string kernels;  ///< as MADANG_ISA names them; empty: the best
};

class Workplace {
 public:
  explicit Workplace(const WorkOptions& options);
  /// Runs the model and lengthens the step's sequences. -> [wanted, vocabulary]
  Tensor forward(const Model& model, Step& step);
  /// The same for hidden states. -> [wanted, width]
  Tensor hidden(const Model& model, Step& step);
  /// Called with every product's weight and input from now on; empty: nobody.
  void observe(Observer observer) { observer_ = std::move(observer); }
  ThreadPool& pool() { return pool_; }
  const Kernels& kernels() const { return kernels_; }
  Compute compute() const { return compute_; }

 private:
  Tensor run(const Model& model, Step& step, Tensor (Model::*what)(Ctx&, const Step&) const);

  ThreadPool pool_;
  Arena arena_;
  const Kernels& kernels_;
  Compute compute_;
  Observer observer_;
};

}  // namespace madang
