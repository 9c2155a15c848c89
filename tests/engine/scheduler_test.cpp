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

TEST(Scheduler, DearTokensAreFewerInAChunk) {
  Scheduler s = make({.chunk = 16, .step_tokens = 64});
  s.add(1, 9, 100, {.flow = 1, .cost = 4});
  s.add(2, 40, 100, {.flow = 2});
  const Scheduler::Plan first = s.plan(), second = s.plan(), third = s.plan();
  ASSERT_EQ(first.pieces.size(), 1u);  // a whole chunk
  EXPECT_EQ(first.pieces[0].id, 1);
  EXPECT_EQ(first.pieces[0].count, 4);
  ASSERT_EQ(second.pieces.size(), 1u);  // of the other, which has had nothing yet
  EXPECT_EQ(second.pieces[0].id, 2);
  EXPECT_EQ(second.pieces[0].count, 16);
  ASSERT_EQ(third.pieces.size(), 1u);
  EXPECT_EQ(third.pieces[0].count, 4);  // both have had the same work: the smaller tag is the first one's
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

// Runs prompts only, each of which ends (and is gone) when it is computed: tokens by flow, in a step.
std::map<int64_t, int64_t> prompt_step(Scheduler& s, const std::map<Scheduler::Id, int64_t>& flow_of) {
  std::map<int64_t, int64_t> tokens;
  for (const Scheduler::Piece& p : s.plan().pieces) {
    tokens[flow_of.at(p.id)] += p.count;
    if (p.last) s.remove(p.id);
  }
  return tokens;
}

TEST(Scheduler, FlowsShareByWeightAndNobodyStarves) {
  Random random(test::seed());
  for (int trial = 0; trial < 20; ++trial) {
    Scheduler s = make({.chunk = random.between(8, 64), .step_tokens = 128, .running = random.between(4, 50)});
    const int64_t flows = random.between(2, 5);
    std::map<int64_t, int64_t> weights, served, waiting;
    std::map<Scheduler::Id, int64_t> flow_of;
    for (int64_t flow = 1; flow <= flows; ++flow) weights[flow] = random.between(1, 4);
    Scheduler::Id next = 1;
    const int64_t most = 100;
    for (int step = 0; step < 600; ++step) {
      for (int64_t flow = 1; flow <= flows; ++flow)  // flow 1 asks far more than its share
        for (int64_t now = flow == 1 ? 50 : 20; now > 0 && waiting[flow] < (flow == 1 ? 60 : 20); --now) {
          flow_of[next] = flow, ++waiting[flow];
          s.add(next++, random.between(2, most), 1000, {.flow = flow, .weight = weights[flow]});
        }
      for (auto [flow, tokens] : prompt_step(s, flow_of)) served[flow] += tokens;
      for (auto& [flow, count] : waiting) count = 0;
      std::erase_if(flow_of, [&](const auto& entry) { return !s.contains(entry.first); });
      for (auto [id, flow] : flow_of) ++waiting[flow];
    }
    // All have always had something waiting: shares are as weights, to within a prompt of each and the steps.
    for (int64_t flow = 2; flow <= flows; ++flow) {
      const double a = static_cast<double>(served[1]) / static_cast<double>(weights[1]);
      const double b = static_cast<double>(served[flow]) / static_cast<double>(weights[flow]);
      EXPECT_NEAR(a / b, 1, 0.1) << "trial " << trial << ", flow " << flow;
    }
  }
}

TEST(Scheduler, BeingAwayEarnsNothing) {
  Scheduler s = make({.chunk = 10, .step_tokens = 20});
  std::map<Scheduler::Id, int64_t> flow_of{{1, 1}, {2, 2}};
  s.add(1, 10000, 20000, {.flow = 1});
  for (int step = 0; step < 100; ++step) prompt_step(s, flow_of);
  s.add(2, 1000, 2000, {.flow = 2});  // comes late, and is not owed a thousand tokens
  std::map<int64_t, int64_t> served;
  for (int step = 0; step < 50; ++step)
    for (auto [flow, tokens] : prompt_step(s, flow_of)) served[flow] += tokens;
  EXPECT_NEAR(static_cast<double>(served[1]), static_cast<double>(served[2]), 10);
}

TEST(Scheduler, PriorityGoesBeforeWork) {
  Scheduler s = make({.chunk = 10, .step_tokens = 20});
  std::map<Scheduler::Id, int64_t> flow_of{{1, 1}, {2, 2}};
  s.add(1, 100, 200, {.flow = 1});
  s.add(2, 95, 200, {.flow = 2, .priority = 1});
  std::map<int64_t, int64_t> served;
  for (int step = 0; step < 10; ++step)
    for (auto [flow, tokens] : prompt_step(s, flow_of)) served[flow] += tokens;
  EXPECT_EQ(served[2], 95);
  EXPECT_EQ(served[1], 5);
}

TEST(Scheduler, PromptsOfASizeAreFinishedOneAfterTheOther) {
  Scheduler s = make({.chunk = 10, .step_tokens = 20});
  std::map<Scheduler::Id, int64_t> done;
  for (Scheduler::Id id = 1; id <= 4; ++id) s.add(id, 20, 100);
  for (int64_t step = 1; step <= 8; ++step)
    for (const Scheduler::Piece& p : s.plan().pieces)
      if (p.last) done[p.id] = step;
  EXPECT_EQ(done, (std::map<Scheduler::Id, int64_t>{{1, 2}, {2, 4}, {3, 6}, {4, 8}}));
}

TEST(Scheduler, ALongPromptIsPassedByNoMoreThanItsLength) {
  Scheduler s = make({.chunk = 10, .step_tokens = 20, .running = 100});
  s.add(1, 500, 1000);
  int64_t others = 0;
  for (Scheduler::Id id = 2;; ++id) {
    s.add(id, 10, 100);  // a short one each step, for ever
    bool ended = false;
    for (const Scheduler::Piece& p : s.plan().pieces) {
      if (p.id == 1)
        ended = p.last;
      else
        others += p.count;
      if (p.last && p.id != 1) s.remove(p.id);
    }
    if (ended) break;
    ASSERT_LT(id, 1000);
  }
  EXPECT_LE(others, 500 + 10);
}

TEST(Scheduler, WhoSharesABeginningWaitsForItAndLendsItsPlace) {
  int64_t ready = 0;
  Scheduler s(
      {.chunk = 10, .step_tokens = 20}, [](int64_t tokens) { return tokens; },
      [&](Scheduler::Id id) {
        if (id == 1 || id == 2) return Scheduler::Start{};
        return ready > 0 ? Scheduler::Start{.computed = ready}
                         : Scheduler::Start{.behind = 1, .until = id == 3 ? 30 : 90};
      });
  s.add(1, 100, 200, {.flow = 1});
  EXPECT_EQ(s.plan().pieces.at(0).id, 1);          // 10 computed
  s.add(2, 100, 200, {.flow = 2, .priority = 1});  // more urgent than 1
  s.add(3, 40, 200, {.flow = 3, .priority = 2});   // more urgent than both, behind 1
  for (int64_t begin : {10, 20}) {
    const auto pieces = s.plan().pieces;
    ASSERT_EQ(pieces.size(), 1u);
    EXPECT_EQ(pieces[0].id, 1);
    EXPECT_EQ(pieces[0].begin, begin);
  }
  ready = 30;
  const auto pieces = s.plan().pieces;
  EXPECT_EQ(pieces.at(0).id, 3);
  EXPECT_EQ(pieces.at(0).begin, 30);
  // And when the one it waits for goes away, it goes its own way.
  ready = 0;
  s.add(4, 40, 200, {.flow = 3, .priority = 3});
  s.plan();
  EXPECT_FALSE(s.running(4));
  ready = 0;
  s.remove(1);
  s.plan();
  EXPECT_TRUE(s.running(4));
}

TEST(Scheduler, WhatWasPutBackIsNotAdmittedByTheSamePlan) {
  // A small one goes before a large one; with the large one gone it would fit again at once.
  Scheduler s = make({.chunk = 100, .step_tokens = 200, .memory = 40});
  s.add_running(1, 20, 19), s.add_running(2, 30, 29), s.add_running(3, 5, 4);
  const Scheduler::Plan plan = s.plan();
  EXPECT_EQ(plan.preempted, (std::vector<Scheduler::Id>{3, 2}));
  ASSERT_EQ(plan.pieces.size(), 1u);
  EXPECT_EQ(plan.pieces[0].id, 1);
  s.plan();
  EXPECT_TRUE(s.running(3));
  EXPECT_LE(s.memory(), 40);
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

TEST(Scheduler, GuessesTakeTheRoomThatIsLeft) {
  Scheduler s = make({.chunk = 4, .step_tokens = 12});
  s.add(1, 1, 100), s.add(2, 1, 100);
  s.plan(), s.grow(1), s.grow(2);
  EXPECT_TRUE(s.answering(1));
  s.guess(1, 5), s.guess(2, 20);
  Scheduler::Plan plan = s.plan();
  ASSERT_EQ(plan.pieces.size(), 2u);
  EXPECT_EQ(plan.pieces[0].count, 1);
  EXPECT_EQ(plan.pieces[0].guesses, 5);
  EXPECT_EQ(plan.pieces[1].guesses, 5);  // 12 in all
  // The first one's were all wrong and its state knows no place between; two of the second's were right.
  s.grow(1), s.judged(1, 1);
  for (int i = 0; i < 3; ++i) s.grow(2);
  s.judged(2, 4);
  EXPECT_FALSE(s.answering(1));
  EXPECT_TRUE(s.answering(2));
  s.add(3, 50, 100);
  s.guess(2, 20);
  plan = s.plan();
  ASSERT_EQ(plan.pieces.size(), 3u);
  EXPECT_EQ(plan.pieces[0].begin, 1);
  EXPECT_EQ(plan.pieces[0].count, 2);  // read again, and not in the prompts' turn
  EXPECT_TRUE(plan.pieces[0].last);
  EXPECT_EQ(plan.pieces[1].begin, 4);
  EXPECT_EQ(plan.pieces[1].guesses, 5);  // all but a chunk for the prompt
  EXPECT_EQ(plan.pieces[2].count, 4);
}

TEST(Scheduler, GuessesStopAtCutsAndTakeNoMemoryFromOthers) {
  Scheduler s = make({.chunk = 4, .step_tokens = 16, .memory = 10});
  s.add(1, 1, 10, {}, {4});
  s.plan(), s.grow(1);
  s.guess(1, 6);
  EXPECT_EQ(s.plan().pieces.at(0).guesses, 2);
  s.grow(1), s.judged(1, 2);
  s.add(2, 5, 10);
  s.guess(1, 1);
  const Scheduler::Plan plan = s.plan();  // 3 and 5 of 10 bytes
  EXPECT_EQ(plan.pieces.at(0).guesses, 1);
  EXPECT_EQ(plan.pieces.at(1).count, 4);
  s.grow(1), s.judged(1, 3);
  s.guess(1, 2);
  EXPECT_EQ(s.plan().pieces.at(0).guesses, 0);
  EXPECT_TRUE(s.running(2));
}

}  // namespace
}  // namespace madang
