// The scheduler without a model: who is served when, and what memory allows.
#include "engine/scheduler.h"

#include "base/error.h"
#include "base/random.h"
#include "support.h"

namespace madang {
namespace {

Scheduler make(SchedulerOptions options) {
  return Scheduler(options, [](int64_t tokens) { return tokens; }, [](Scheduler::Id) { return Scheduler::Start{}; });
}

TEST(Scheduler, AnswersComeFirstAndAPromptDelaysThemByAChunk) {
  Scheduler s = make({.chunk = 4, .step_tokens = 16});
  s.add(1, 1, 100);
  s.plan(), s.grow(1);
  s.add(2, 10, 100);
  for (int64_t begin : {0, 4, 8}) {
    const Scheduler::Plan plan = s.plan();
    ASSERT_EQ(plan.pieces.size(), 2u);
    EXPECT_EQ(plan.pieces[0].id, 1);
    EXPECT_TRUE(plan.pieces[0].last);
    EXPECT_EQ(plan.pieces[1].begin, begin);
    EXPECT_EQ(plan.pieces[1].count, begin == 8 ? 2 : 4);
    EXPECT_EQ(plan.pieces[1].last, begin == 8);
    s.grow(1);
  }
}

TEST(Scheduler, AShortPromptPassesALongOne) {
  Scheduler s = make({.chunk = 4, .step_tokens = 16});
  s.add(1, 1000, 2000);
  s.plan();
  s.add(2, 3, 100);
  const Scheduler::Plan plan = s.plan();
  EXPECT_EQ(plan.pieces[0].id, 2);
  EXPECT_TRUE(plan.pieces[0].last);
  EXPECT_EQ(plan.pieces[1].count, 1);
}

TEST(Scheduler, PiecesEndAtCuts) {
  Scheduler s = make({.chunk = 10, .step_tokens = 16});
  s.add(1, 12, 100, {}, {3, 11});
  for (int64_t count : {3, 8, 1}) EXPECT_EQ(s.plan().pieces.at(0).count, count);
  EXPECT_TRUE(s.plan().pieces.empty());
}

TEST(Scheduler, TheLastToArriveWaitsWhenMemoryIsShort) {
  Scheduler s = make({.chunk = 100, .step_tokens = 100, .memory = 20});
  s.add(1, 8, 20), s.add(2, 8, 20), s.add(3, 1, 20);
  EXPECT_EQ(s.plan().pieces.size(), 3u);  // 17 of 20 bytes
  for (Scheduler::Id id : {1, 2, 3}) s.grow(id);
  EXPECT_TRUE(s.plan().preempted.empty());  // 20
  for (Scheduler::Id id : {1, 2, 3}) s.grow(id);
  const Scheduler::Plan plan = s.plan();  // 23: the last two bytes are the third's, and three are needed
  EXPECT_EQ(plan.preempted, (std::vector<Scheduler::Id>{3}));
  EXPECT_EQ(s.waiting(), 1u);
  EXPECT_LE(s.memory(), 20);
  s.remove(1);
  EXPECT_EQ(s.plan().pieces.at(0).begin, 0);  // computed again from its beginning
  EXPECT_THROW(s.add(4, 1, 21), Error);
}

TEST(Scheduler, EverySequenceComesToItsEndWithinTheBounds) {
  Random random(test::seed());
  for (int trial = 0; trial < 200; ++trial) {
    const SchedulerOptions o{.chunk = random.between(1, 9),
                             .step_tokens = random.between(2, 12),
                             .running = random.between(1, 5),
                             .memory = random.between(30, 60)};
    Scheduler s = make(o);
    std::map<Scheduler::Id, std::pair<int64_t, int64_t>> open;  // known, target
    std::map<Scheduler::Id, int64_t> computed;
    for (Scheduler::Id id = 1; id <= 12; ++id) {
      open[id] = {random.between(1, 15), random.between(16, 30)};
      s.add(id, open[id].first, 30);
    }
    for (int steps = 0; !open.empty(); ++steps) {
      ASSERT_LT(steps, 5000);
      const Scheduler::Plan plan = s.plan();
      ASSERT_FALSE(plan.pieces.empty());
      ASSERT_LE(s.memory(), o.memory);
      for (Scheduler::Id id : plan.preempted) computed[id] = 0;
      int64_t tokens = 0;
      for (const Scheduler::Piece& p : plan.pieces) {
        ASSERT_EQ(p.begin, computed[p.id]);
        computed[p.id] += p.count, tokens += p.count;
        ASSERT_EQ(p.last, computed[p.id] == open[p.id].first);
        if (!p.last) continue;
        if (++open[p.id].first > open[p.id].second)
          s.remove(p.id), open.erase(p.id);
        else
          s.grow(p.id);
      }
      ASSERT_LE(tokens, o.step_tokens);
    }
  }
}

}  // namespace
}  // namespace madang
