// The step loop on a model that counts: after token t comes t + 1. Ends, choices, faults, reuse.
#include "engine/engine.h"

#include <cmath>
#include <limits>

#include "base/random.h"
#include "engine/score.h"
#include "models.h"

namespace madang {
namespace {

constexpr int64_t words = 50;

// Remembers how many tokens it has seen in a recurrent state, so that a wrong state shows in its logits.
class Counting : public Model {
 public:
  Tensor forward(Ctx& c, const Step& step) const override {
    for (const Segment& s : step.segments) {
      auto& state = static_cast<RecurrentState&>(*s.state->layers[0]);
      if (state.values()[0] != static_cast<float>(s.start)) throw std::runtime_error("state of another past");
      state.values()[0] += static_cast<float>(s.length), state.advance(s.length);
    }
    Tensor logits = c.make({static_cast<int64_t>(step.wanted.size()), words});
    for (int64_t i = 0; i < logits.rows(); ++i) {
      std::fill_n(logits.row(i), words, 0.0f);
      const int32_t id = step.ids[static_cast<size_t>(step.wanted[static_cast<size_t>(i)])];
      logits.row(i)[(id + 1) % words] = id == 13 ? std::numeric_limits<float>::quiet_NaN() : 10.0f;
    }
    return logits;
  }
  std::vector<StateSpec> states() const override { return {{.kind = StateKind::recurrent, .floats = 1}}; }
  int64_t vocabulary() const override { return words; }
};

struct Told {
  std::vector<int32_t> tokens;
  Finish finish = Finish::none;
  std::optional<Error> fault;
  Usage usage;
};

std::map<std::pair<int64_t, int>, Told> run(Engine& engine) {
  std::map<std::pair<int64_t, int>, Told> all;
  while (engine.busy())
    for (const Event& e : engine.step()) {
      Told& told = all[{e.request, e.choice}];
      EXPECT_EQ(told.finish, Finish::none) << "an event after the last";
      if (e.token >= 0) told.tokens.push_back(e.token);
      told.finish = e.finish, told.fault = e.fault, told.usage = e.usage;
    }
  return all;
}

const SamplerOptions greedy{.temperature = 0};
using Ids = std::vector<int32_t>;

TEST(Engine, EveryEndHasItsReason) {
  Counting model;
  Engine engine(model, nullptr, 0, {.work = {.threads = 1}, .context = 8});
  const auto end = engine.submit({.prompt = {1}, .sampler = greedy, .ends = {4}});
  const auto length = engine.submit({.prompt = {1}, .sampler = greedy, .max_tokens = 2});
  const auto context = engine.submit({.prompt = {1, 2, 3, 4, 5}, .sampler = greedy, .max_tokens = 100});
  const auto failed = engine.submit({.prompt = {12}, .sampler = greedy});
  const auto cancelled = engine.submit({.prompt = {1}, .sampler = greedy, .n = 2});
  engine.cancel(cancelled);
  auto told = run(engine);
  EXPECT_EQ((told[{end, 0}].tokens), (Ids{2, 3, 4}));
  EXPECT_EQ((told[{end, 0}].finish), Finish::end);
  EXPECT_EQ((told[{length, 0}].tokens), (Ids{2, 3}));
  EXPECT_EQ((told[{length, 0}].finish), Finish::length);
  EXPECT_EQ((told[{context, 0}].tokens), (Ids{6, 7, 8}));
  EXPECT_EQ((told[{context, 0}].finish), Finish::context);
  EXPECT_EQ((told[{failed, 0}].tokens), (Ids{13}));
  EXPECT_EQ((told[{failed, 0}].finish), Finish::failed);  // and the others went on
  ASSERT_TRUE((told[{failed, 0}].fault));
  EXPECT_EQ((told[{failed, 0}].fault->kind()), Kind::format);
  EXPECT_EQ((told[{failed, 0}].fault->render(Language::english)), not_numbers().render(Language::english));
  for (int choice : {0, 1}) EXPECT_EQ((told[{cancelled, choice}].finish), Finish::cancelled);
}

TEST(Engine, RefusesWhatCannotRun) {
  Counting model;
  Engine engine(model, nullptr, 4, {.work = {.threads = 1}});
  auto kind = [&](Request r) {
    try {
      engine.submit(std::move(r));
    } catch (const Error& fault) {
      return fault.kind();
    }
    return Kind::internal;
  };
  EXPECT_EQ(kind({}), Kind::usage);
  EXPECT_EQ(kind({.prompt = {1, 50}}), Kind::mismatch);
  EXPECT_EQ(kind({.prompt = {-1}}), Kind::mismatch);
  EXPECT_EQ(kind({.prompt = {1, 2, 3, 4}}), Kind::limit);
  EXPECT_EQ(kind({.prompt = {1}, .sampler = {.top_p = 2}}), Kind::usage);
  EXPECT_EQ(kind({.prompt = {1}, .stops = {"x"}}), Kind::usage);
  EXPECT_EQ(kind({.prompt = {1}, .n = 0}), Kind::usage);
  EXPECT_FALSE(engine.busy());
}

TEST(Engine, ChoicesHaveTheirOwnSeedsAndOnePrompt) {
  Counting model;
  Engine engine(model, nullptr, 0, {.work = {.threads = 1}});
  const SamplerOptions warm{.temperature = 8, .logit_bias = {{13, -100}}, .seed = 3};
  const auto request = engine.submit({.prompt = {1, 2, 3}, .sampler = warm, .max_tokens = 10, .n = 3});
  auto told = run(engine);
  EXPECT_EQ(engine.stats().prompt_tokens, 3);
  EXPECT_NE((told[{request, 0}].tokens), (told[{request, 1}].tokens));
  for (int choice = 0; choice < 3; ++choice) {
    SamplerOptions own = warm;
    own.seed = choice_seed(3, choice);
    const auto single = engine.submit({.prompt = {1, 2, 3}, .sampler = own, .max_tokens = 10});
    EXPECT_EQ((run(engine)[{single, 0}].tokens), (told[{request, choice}].tokens));
  }
}

TEST(Engine, BeginningsAreReused) {
  Counting model;
  Engine engine(model, nullptr, 0, {.work = {.threads = 1}});
  const Request ask{.prompt = {1, 2, 3, 4, 5}, .sampler = greedy, .max_tokens = 3};
  engine.submit(ask);
  run(engine);
  auto again = engine.submit(ask);
  EXPECT_EQ((run(engine)[{again, 0}].usage.reused), 4);  // all but the last
  auto turn = engine.submit({.prompt = {1, 2, 3, 4, 5, 6, 7, 8, 20}, .sampler = greedy, .max_tokens = 1});
  auto told = run(engine);
  EXPECT_EQ((told[{turn, 0}].usage.reused), 7);  // prompt and answer, without the token that was never fed
  EXPECT_EQ((told[{turn, 0}].tokens), (Ids{21}));
  auto other = engine.submit({.prompt = {2, 2, 3}, .sampler = greedy, .max_tokens = 1});
  EXPECT_EQ((run(engine)[{other, 0}].usage.reused), 0);
}

TEST(Engine, RestoreGoesBackAndResumeOutlivesItsOrigin) {
  Counting model;
  Engine engine(model, nullptr, 0, {.work = {.threads = 1}}), stranger(model, nullptr, 0, {.work = {.threads = 1}});
  const auto request = engine.submit({.prompt = {1}, .sampler = greedy, .max_tokens = 4});
  engine.step();
  const Mark mark = engine.mark(request);
  engine.step(), engine.step();
  engine.restore(request, 0, mark);
  EXPECT_EQ((run(engine)[{request, 0}].tokens), (Ids{3, 4, 5}));
  EXPECT_THROW(engine.mark(request), Error);
  const auto later = engine.resume(mark);
  EXPECT_EQ((run(engine)[{later, 0}].tokens), (Ids{3, 4, 5}));
  EXPECT_THROW(stranger.resume(mark), Error);
}

// By request, as they are told.
using Scores = std::map<int64_t, std::vector<Sampled>>;
void gather(std::vector<Event> events, Scores& all) {
  for (Event& e : events) {
    EXPECT_NE(e.finish, Finish::failed);
    if (e.prompt_scores.empty()) continue;
    EXPECT_EQ(e.choice, 0);
    EXPECT_TRUE(all.emplace(e.request, std::move(e.prompt_scores)).second) << "told twice";
  }
}

TEST(PromptScores, AreThoseOfTheLogitsWhateverIsShared) {
  Random random(test::seed());
  for (const std::string& path : test::tiny_models()) {
    SCOPED_TRACE(path);
    auto checkpoint = Checkpoint::open(path);
    const int64_t vocabulary = checkpoint->model().vocabulary();
    auto ids = [&](int64_t n) {
      Ids out;
      for (; n > 0; --n) out.push_back(static_cast<int32_t>(random.between(0, vocabulary - 1)));
      return out;
    };
    const Ids common = ids(100);
    constexpr int64_t context = 256;
    // Dynamic RoPE scales by the length in view, longrope chooses its factors by it.
    const bool by_length = path.find("ntk") != path.npos || path.find("long") != path.npos;
    Engine engine(*checkpoint, {.work = {.threads = 2}, .context = context, .schedule = {.chunk = 70}});
    std::map<int64_t, std::pair<Ids, int>> asked;
    Scores told;
    for (int i = 0; i < 14; ++i) {
      Ids prompt(common.begin(), common.begin() + random.between(0, 100));
      for (int32_t id : ids(random.between(1, 50))) prompt.push_back(id);
      if (i % 5 == 4) prompt = asked.begin()->second.first;  // what was asked before
      const int top = i % 5 == 3 ? 0 : 3;
      Request r{.prompt = prompt, .sampler = greedy, .max_tokens = 2, .n = i % 4 == 0 ? 2 : 1};
      r.prompt_logprobs = top, r.answer = i % 3 != 0;
      if (i % 6 == 5) r.prompt_logprobs.reset(), r.answer = true;  // others that are not scored share as well
      const int64_t number = engine.submit(r);
      if (r.prompt_logprobs) asked[number] = {prompt, top};
      if (i % 4 == 1) gather(engine.step(), told);
    }
    while (engine.busy()) gather(engine.step(), told);
    for (const auto& [number, what] : asked) {
      const auto& [prompt, top] = what;
      const auto rest = context - static_cast<int64_t>(prompt.size());
      const Logits l = logits_of(checkpoint->model(), prompt, {.greedy = by_length ? rest : 0});
      ASSERT_TRUE(told.contains(number));
      const std::vector<Sampled>& scores = told.at(number);
      ASSERT_EQ(scores.size(), prompt.size());
      EXPECT_TRUE(scores[0].top.empty());
      for (size_t i = 1; i < prompt.size(); ++i) {
        const std::span row(l.values.data() + (i - 1) * static_cast<size_t>(vocabulary),
                            static_cast<size_t>(vocabulary));
        const auto id = static_cast<size_t>(prompt[i]);
        ASSERT_EQ(scores[i].id, prompt[i]);
        ASSERT_EQ(scores[i].logprob, static_cast<float>(static_cast<double>(row[id]) - log_sum_exp(row)));
        ASSERT_EQ(scores[i].top.size(), static_cast<size_t>(top));
        if (top == 0) continue;
        ASSERT_EQ(row[static_cast<size_t>(scores[i].top[0].id)], *std::ranges::max_element(row));
      }
    }
  }
}

TEST(PromptScores, WhatWasScoredIsNotComputedAgain) {
  auto checkpoint = Checkpoint::open(test::data_folder() + "/models/llama2-gqa");
  Engine engine(*checkpoint, {.work = {.threads = 1}});
  Ids prompt(120, 7);
  auto ask = [&](int32_t last) {
    prompt.back() = last;
    Request r{.prompt = prompt};
    r.prompt_logprobs = 1, r.answer = false;
    return engine.submit(r);
  };
  ask(1), ask(2), ask(3);  // side by side: one is computed, the others wait for what they share
  run(engine);
  EXPECT_EQ(engine.stats().prompt_tokens, 120 + 2 + 2);
  ask(4), ask(1);  // and later
  run(engine);
  EXPECT_EQ(engine.stats().prompt_tokens, 124 + 2 + 1);
  Request other{.prompt = prompt};
  EXPECT_THROW((other.answer = false, engine.submit(other)), Error);
  EXPECT_THROW((other.prompt_logprobs = 21, engine.submit(other)), Error);
}

TEST(PrefixCache, IsBoundedAndForgetsTheOldest) {
  const std::vector<StateSpec> specs{{.kind = StateKind::recurrent, .floats = 25}};  // 100 bytes
  PrefixCache cache(250);
  auto keep = [&](Ids ids) {
    SequenceState state(specs, KvType::f32, 99);
    state.length = static_cast<int64_t>(ids.size());
    static_cast<RecurrentState&>(*state.layers[0]).advance(state.length);
    cache.keep(ids, std::move(state));
  };
  keep({1, 2}), keep({1, 3});
  EXPECT_TRUE(cache.find(Ids{1, 2, 9}, 99));
  EXPECT_FALSE(cache.find(Ids{1, 2}, 99));      // nothing would be left to compute
  EXPECT_FALSE(cache.find(Ids{1, 2, 9}, 100));  // opened for another length
  keep({1, 4});
  EXPECT_TRUE(cache.find(Ids{1, 2, 9}, 99));
  EXPECT_FALSE(cache.find(Ids{1, 3, 9}, 99));
  EXPECT_LE(cache.stats().bytes, 250);
  EXPECT_EQ(cache.stats().evictions, 1);
}

TEST(Score, PerplexityIsThatOfTheLogits) {
  auto checkpoint = Checkpoint::open(test::data_folder() + "/models/llama2-gqa");
  Ids ids;
  for (int32_t i = 0; i < 150; ++i) ids.push_back(i * 7 % 200);
  const Perplexity got = perplexity(checkpoint->model(), ids, {.window = 70, .bos = 1});
  double sum = 0;
  for (size_t at : {0u, 70u}) {
    Ids window(ids.begin() + static_cast<ptrdiff_t>(at), ids.begin() + static_cast<ptrdiff_t>(at) + 70);
    window[0] = 1;
    const Logits l = logits_of(checkpoint->model(), window, {.chunk = 9});
    for (size_t i = 0; i + 1 < window.size(); ++i) {
      const std::span row(l.values.data() + i * static_cast<size_t>(l.vocabulary), static_cast<size_t>(l.vocabulary));
      sum += log_sum_exp(row) - static_cast<double>(row[static_cast<size_t>(window[i + 1])]);
    }
  }
  EXPECT_EQ(got.scored, 138);
  EXPECT_EQ(got.windows, 2);
  EXPECT_DOUBLE_EQ(got.value, std::exp(sum / 138));
  EXPECT_GT(got.standard_error, 0);
  EXPECT_THROW(perplexity(checkpoint->model(), Ids{1, 100000}), Error);
  EXPECT_THROW(logits_of(checkpoint->model(), Ids{}), Error);
}

}  // namespace
}  // namespace madang
