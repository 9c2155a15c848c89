// Who computes what in the next step, over integers only: lengths, bytes, ids. No model, no clock, no thread.
//
// Every sequence knows `known` tokens, of which `computed` have gone through the model. A step first takes the
// sequences that lack one token (they are answering; those served longest ago first, if there are more than fit), then
// hands at most `chunk` tokens to those that lack more (prompts): a long prompt holds up the answers of others by at
// most one chunk a step.
//
// Prompts, and waiting sequences that want to be admitted, are served in this order (a kind of weighted fair queueing:
// Demers, Keshav and Shenker 1989; starts as in Goyal, Vin and Cheng 1996):
//   1. the higher priority;
//   2. the flow (a client, a key) with the least work so far: tokens computed for it / its weight. A flow that comes,
//      or comes back, starts at the least work of those that are there: being away earns nothing;
//   3. within a flow the smaller tag: tokens of prompts the flow had been given when the sequence came, and its own
//      length. Prompts of a size are thus finished one after the other (halves of two prompts answer nobody), a short
//      one passes a long one, and the long one can be passed by no more tokens than it has itself.
//
// Common beginnings are computed once: a sequence that shares enough with a running one that has not come so far yet is
// held until that one has, and then begins with a copy of its state. Meanwhile the one it waits for is served in the
// place of the more urgent of both.
//
// Memory: each sequence's state is counted by its length. A waiting sequence is admitted when its known tokens and one
// more fit beside the others. When the running ones outgrow the bound, the least urgent (lowest priority, last to
// arrive) waits again and is computed again later: results are the same bits, so only time is lost. One that could not
// fit even alone is refused when it comes, so the oldest always gets on. Guesses never take what others could use.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace madang {

struct SchedulerOptions {
  /// Prompt tokens a step. A step costs about as much as its tokens plus a few (weights are read once for all of them):
  /// 256 leave less than a tenth of the time to that, and hold up answers for as long as ten of their own steps of 32.
  int64_t chunk = 256;
  int64_t step_tokens = 512;  ///< all tokens a step
  int64_t running = 256;      ///< sequences with a state at the same time
  int64_t memory = 0;         ///< bytes of all their states; 0: no bound
};

/// Who a sequence is computed for.
struct Share {
  int64_t flow = 0;    ///< sequences of one flow share what it gets
  int priority = 0;    ///< higher goes first, whatever the others have had
  int64_t weight = 1;  ///< of the flow beside others of its priority: 1 to 1,000,000
  int64_t cost = 1;    ///< of a token of its prompt, in ordinary ones: so many fewer of them fit in a chunk
};

class Scheduler {
 public:
  using Id = int64_t;
  /// Bytes of a state of so many tokens; must not fall as they grow.
  using Bytes = std::function<int64_t(int64_t tokens)>;
  /// Where a sequence can begin.
  struct Start {
    int64_t computed = 0;  ///< so many of its first tokens are there already, less than all
    Id behind = 0;         ///< not 0: not yet; a running sequence
    int64_t until = 0;     ///< that is to have computed so many tokens first
  };
  /// Called when a sequence could be admitted; with `behind`, again when that one has come so far or is gone.
  using Begin = std::function<Start(Id)>;

  /// Tokens [begin, begin + count) of a sequence; `last`: they are all it knows, the next one is to be sampled. Then
  /// so many that are only guessed are read right behind them.
  struct Piece {
    Id id = 0;
    int64_t begin = 0, count = 0;
    bool last = false;
    int64_t guesses = 0;
  };
  struct Plan {
    std::vector<Piece> pieces;
    std::vector<Id> preempted;  ///< their states are to be dropped
  };

  /// Throws Kind::usage naming the option if one is not positive (memory: negative).
  Scheduler(const SchedulerOptions& options, Bytes bytes, Begin begin);

  /// A new sequence of `known` > 0 tokens that may grow to `limit`. No piece goes past a position in `cuts`.
  /// Throws Kind::limit with both numbers if `limit` tokens do not fit in memory.
  void add(Id id, int64_t known, int64_t limit, const Share& share = {}, std::vector<int64_t> cuts = {});
  /// One whose state is there already: a fork.
  void add_running(Id id, int64_t known, int64_t computed, const Share& share = {}, std::vector<int64_t> cuts = {});
  /// One more position that no piece of it goes past.
  void cut(Id id, int64_t position) { items_.at(id).cuts.push_back(position); }
  /// The next step; empty only if there is no sequence. The pieces count as computed.
  Plan plan();
  void grow(Id id) { ++items_.at(id).known; }           ///< one more token is known
  void rewind(Id id, int64_t known, int64_t computed);  ///< after a restore, with its state in place
  /// Lacks nothing but the last token it knows.
  bool answering(Id id) const;
  /// So many tokens are guessed to come after those it knows: read with the next one, as far as nobody else has a use
  /// for the room.
  void guess(Id id, int64_t count) { items_.at(id).guesses = count; }
  /// A piece's guesses were judged, and those that were right have become known.
  void judged(Id id, int64_t computed);
  void remove(Id id);

  bool contains(Id id) const { return items_.contains(id); }
  bool running(Id id) const { return items_.at(id).running; }
  size_t size() const { return items_.size(); }
  size_t waiting() const { return items_.size() - running_; }
  int64_t memory() const;  ///< bytes counted for the running ones

 private:
  struct Flow {
    int priority = 0;
    int64_t weight = 1, work = 0, prompts = 0, items = 0;
  };
  using Flows = std::map<std::pair<int, int64_t>, Flow>;  // by priority and flow
  struct Item {
    int64_t known = 0, computed = 0, guesses = 0, arrival = 0, tag = 0, served = 0, cost = 1;
    Id behind = 0;
    int64_t until = 0;
    bool running = false;
    bool again = false;  // what it lacks is no prompt: a state went back to before a wrong guess
    Flow* flow = nullptr;
    std::vector<int64_t> cuts;
  };
  using Entry = std::pair<const Id, Item>;
  struct Urgency;

  Flow& join(const Share& share);
  Item& place(Id id, const Share& share, Item item);
  void preempt(Plan& plan);
  void fit_guesses();  ///< none, if their states do not fit beside those of all others
  void admit();
  bool held(const Item& item) const;
  Entry* most_urgent(const std::vector<Entry*>& group) const;
  void take(Entry& entry, int64_t most, int64_t guesses, Plan& plan, int64_t& left);
  void answer(std::vector<Entry*> group, int64_t most, Plan& plan, int64_t& left);
  void read(std::vector<Entry*> group, int64_t most, Plan& plan, int64_t& left);

  SchedulerOptions options_;
  Bytes bytes_;
  Begin begin_;
  std::map<Id, Item> items_;  // nodes stay where they are, as do those of flows
  Flows flows_;
  size_t running_ = 0;
  int64_t arrivals_ = 0, steps_ = 0;
};

}  // namespace madang
