// Guessing ahead (speculative decoding: Leviathan, Kalman and Matias 2023; Chen et al. 2023). Whoever guesses says what
// may come after a sequence; the model reads the last token and the guesses behind it in one stretch, which costs
// little more than the last token alone, and the sequence's own sampler draws from row after row for as long as it
// draws what was guessed. Answers are the same bits, greedy or sampled, however good or bad the guesses are: only time
// is at stake.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampler.h"
#include "engine/workplace.h"

namespace madang {

/// One sequence's question and the answer to it.
struct Guess {
  int64_t sequence = 0;              ///< the same number from step to step
  std::span<const int32_t> tokens;   ///< all that is known of it
  std::span<const int32_t> ends;     ///< behind these nothing comes
  const Sampler* sampler = nullptr;  ///< what will draw the next token
  int64_t most = 0;                  ///< more guesses than this are not read
  std::vector<int32_t> guessed;      ///< ids of the model's vocabulary
};

class Guesser {
 public:
  virtual ~Guesser() = default;
  /// Fills in what is guessed, nothing where it has no idea. Runs where the engine's own forwards run, between them.
  /// If it throws it is not asked again: the engine goes on without it, and says so.
  virtual void guess(Workplace& work, std::span<Guess> all) = 0;
  /// The sequence has ended or waits: what is remembered of it can go.
  virtual void forget(int64_t sequence) { (void)sequence; }
  /// Of one guess more, in steps of the model.
  virtual double cost() const { return 0; }
  /// What it remembers of each sequence, beside what the model does.
  virtual std::span<const StateSpec> states() const { return {}; }
};

/// How well guesses do for one sequence, and hence how many are worth reading.
class Luck {
 public:
  /// Guesses to be read where each costs so much of the step that would give one token without it: as many as are
  /// each likelier to be right, with all before it, than that. At most `most`.
  int64_t worth(double cost, int64_t most) const;
  /// So many guesses were right before the first wrong one, if there was one.
  void judged(int64_t right, bool wrong);
  /// None was read though there could have been some.
  void passed();

 private:
  // Where nothing is known, three of four: what repeats mostly goes on, and one wrong try costs little.
  static constexpr double unknown = 0.75;
  double chance_ = unknown;  ///< that a guess is right if all before it are
};

}  // namespace madang
