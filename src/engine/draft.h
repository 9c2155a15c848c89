// Guesses from a smaller model of the same vocabulary: it goes on with the text as far as asked, drawing with the
// sequence's own random numbers, so that it guesses what would be drawn and not only what is likeliest.
// Reads prompts a chunk at a time, between the steps of the model: a sequence whose prompt it has not read yet goes
// without guesses meanwhile. Refused: a draft whose vocabulary is another.
#pragma once
#include <map>
#include <memory>

#include "engine/engine.h"

namespace madang {

class Draft : public Guesser {
 public:
  /// For an engine of `model` with these options; keeps states of finished sequences in an eighth of what that keeps
  /// them in. Throws Kind::mismatch if the two models' ids do not mean the same.
  Draft(std::shared_ptr<const Checkpoint> draft, const Checkpoint& model, const EngineOptions& options);

  void guess(Workplace& work, std::span<Guess> all) override;
  void forget(int64_t sequence) override;
  double cost() const override { return cost_; }
  std::span<const StateSpec> states() const override { return specs_; }

 private:
  struct Memory {
    SequenceState state;
    std::vector<int32_t> read;  ///< the tokens of the state
  };
  struct Run;

  Memory& recall(const Guess& g);
  bool readable(std::span<const int32_t> tokens) const;
  std::vector<Run> read(Workplace& work, std::span<Guess> all, Tensor& logits);

  std::shared_ptr<const Checkpoint> draft_;
  std::vector<StateSpec> specs_;
  KvType kv_;
  int64_t vocabulary_, limit_;  ///< of the model; tokens that the draft was made for
  double cost_;
  PrefixCache cache_;
  std::map<int64_t, Memory> memories_;
};

}  // namespace madang
