// Who computes what in the next step, over integers only: lengths, bytes, ids. No model, no clock, no thread.
//
// Every sequence knows `known` tokens, of which `computed` have gone through the model. A step first takes the
// sequences that lack one token (they are answering), then hands at most `chunk` tokens to those that lack more
// (prompts): a long prompt holds up the answers of others by at most one chunk a step. In both groups the one served
// longest ago comes first, so that of m prompts each is served at least every m steps.
//
// Memory: each sequence's state is counted by its length. A waiting sequence is admitted, in order of arrival, when
// its known tokens and one more fit beside the others. When the running ones outgrow the bound, the last to arrive is
// put back at the head of the queue and computed again later: results are the same bits, so only time is lost. One
// that could not fit even alone is refused when it comes, so the oldest always gets on.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

namespace madang {

struct SchedulerOptions {
  int64_t chunk = 256;        ///< prompt tokens a step
  int64_t step_tokens = 512;  ///< all tokens a step
  int64_t running = 256;      ///< sequences with a state at the same time
  int64_t memory = 0;         ///< bytes of all their states; 0: no bound
};

class Scheduler {
 public:
  using Id = int64_t;
  /// Bytes of a state of so many tokens; must not fall as they grow.
  using Bytes = std::function<int64_t(int64_t tokens)>;
  /// Called when a sequence is admitted: how many of its first tokens are there already (0 <= n < known).
  using Reuse = std::function<int64_t(Id)>;

  /// Tokens [begin, begin + count) of a sequence; `last`: they are all it knows, the next one is to be sampled.
  struct Piece {
    Id id = 0;
    int64_t begin = 0, count = 0;
    bool last = false;
  };
  struct Plan {
    std::vector<Piece> pieces;
    std::vector<Id> preempted;  ///< their states are to be dropped
  };

  /// Throws Kind::usage naming the option if one is not positive (memory: negative).
  Scheduler(const SchedulerOptions& options, Bytes bytes, Reuse reuse);

  /// A new sequence of `known` > 0 tokens that may grow to `limit`. No piece goes past a position in `cuts` (rising).
  /// Throws Kind::limit with both numbers if `limit` tokens do not fit in memory.
  void add(Id id, int64_t known, int64_t limit, std::vector<int64_t> cuts = {});
  /// One whose state is there already: a fork.
  void add_running(Id id, int64_t known, int64_t computed, std::vector<int64_t> cuts = {});
  /// The next step; empty only if there is no sequence. The pieces count as computed.
  Plan plan();
  void grow(Id id) { ++items_.at(id).known; }           ///< one more token is known
  void rewind(Id id, int64_t known, int64_t computed);  ///< after a restore, with its state in place
  void remove(Id id);

  bool contains(Id id) const { return items_.contains(id); }
  bool running(Id id) const { return items_.at(id).running; }
  size_t size() const { return items_.size(); }
  size_t waiting() const { return queue_.size(); }
  int64_t memory() const;  ///< bytes counted for the running ones

 private:
  struct Item {
    int64_t known = 0, computed = 0, arrival = 0, served = 0;
    bool running = false;
    std::vector<int64_t> cuts;
  };
  void preempt(Plan& plan);
  void admit();
  static int64_t piece_length(const Item& item, int64_t most);

  SchedulerOptions options_;
  Bytes bytes_;
  Reuse reuse_;
  std::map<Id, Item> items_;
  std::deque<Id> queue_;  ///< waiting, in order
  int64_t arrivals_ = 0, steps_ = 0;
};

}  // namespace madang
