// Training through the same forward that inference uses: a batch of rows, a tape, a loss over the labels that count,
// and one step of the optimizer.
#pragma once
#include <cstdint>
#include <vector>

#include "models/model.h"
#include "train/optimizer.h"

namespace madang {

/// One sequence: every label stands at the place of its token, so that position t predicts labels[t + 1]. no_label
/// hides a token from the loss. Rows of a batch never see each other: packing several texts into one long row is the
/// same batch with a row for each.
struct TrainRow {
  std::vector<int32_t> ids, labels;
};
using TrainBatch = std::vector<TrainRow>;

/// Cuts packed tokens into rows where positions start anew. Throws Kind::mismatch if the three differ in number or
/// positions do anything but count up from 0.
TrainBatch unpack(const std::vector<int32_t>& ids, const std::vector<int32_t>& labels,
                  const std::vector<int64_t>& positions);

struct TrainOptions {
  AdamWOptions optimizer;
  double rate = 1e-3;
  int64_t steps = 20, warm_up = 5;
  int threads = 0;
};

struct TrainReport {
  int64_t step = 0;
  double rate = 0, loss = 0, gradient_norm = 0;  ///< before this step's update; the norm before clipping
};

class Trainer {
 public:
  /// `parameters` are those of the store the model was built from, widened. Throws Kind::usage if there are none.
  Trainer(const Model& model, const std::vector<Parameter>& parameters, const TrainOptions& options,
          const Kernels& kernels);

  /// Mean of -log p over the labels of the whole batch that count; 0 if none does. Throws Kind::mismatch on ids outside
  /// the vocabulary and on rows whose labels differ in number from their tokens.
  double loss(const TrainBatch& batch);
  /// The loss and its gradients, left in trained().
  double gradients(const TrainBatch& batch);
  /// Gradients, clipped, applied. Throws Kind::limit, weights untouched, if the loss or a gradient is no longer finite.
  TrainReport step(const TrainBatch& batch);

  std::vector<Trained>& trained() { return optimizer_.trained(); }

 private:
  double run(const TrainBatch& batch, Tape* tape);

  const Model& model_;
  TrainOptions options_;
  ThreadPool pool_;
  Arena arena_;
  const Kernels& kernels_;
  AdamW optimizer_;
  int64_t done_ = 0;
};

}  // namespace madang
