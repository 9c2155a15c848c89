// The sampler: every filter against its definition by hand, draws against the distribution, faults by name.
#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "support.h"

namespace madang {
namespace {

// Which ids 400 draws ever choose.
std::vector<int32_t> possible(SamplerOptions o, const std::vector<float>& logits, std::vector<int32_t> prompt = {}) {
  std::vector<int32_t> ids;
  for (o.seed = 0; o.seed < 400; ++o.seed) ids.push_back(Sampler(o, prompt).sample(logits)->id);
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

std::vector<float> logs(std::vector<float> p) {
  for (float& x : p) x = std::log(x);
  return p;
}

using Ids = std::vector<int32_t>;

TEST(Sampler, FiltersKeepWhatTheirDefinitionKeeps) {
  const auto logits = logs({0.1f, 0.4f, 0.3f, 0.05f, 0.15f});
  EXPECT_EQ(possible({}, logits), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(possible({.temperature = 0}, logits), (Ids{1}));
  EXPECT_EQ(possible({.temperature = 1e-6}, logits), (Ids{1}));
  EXPECT_EQ(possible({.top_k = 2}, logits), (Ids{1, 2}));
  EXPECT_EQ(possible({.top_k = 2}, logs({0.4f, 0.2f, 0.2f, 0.2f})), (Ids{0, 1, 2, 3}));  // equals of the k-th stay
  EXPECT_EQ(possible({.top_p = 0.69}, logits), (Ids{1, 2}));
  EXPECT_EQ(possible({.top_p = 0.75}, logits), (Ids{1, 2, 4}));
  EXPECT_EQ(possible({.top_p = 1e-9}, logits), (Ids{1}));
  EXPECT_EQ(possible({.top_k = 2, .top_p = 0.5}, logits), (Ids{1}));  // 0.4 of 0.7 is above one half
  EXPECT_EQ(possible({.min_p = 0.3}, logits), (Ids{1, 2, 4}));
  // Entropy 1.39: surprises 2.3, 0.92, 1.2, 3.0, 1.9; closest: 2, then 1, then 4.
  EXPECT_EQ(possible({.typical_p = 0.25}, logits), (Ids{2}));
  EXPECT_EQ(possible({.typical_p = 0.6}, logits), (Ids{1, 2}));
}

TEST(Sampler, PenaltiesAndBiasChangeTheChoice) {
  const std::vector<float> logits{2.0f, 1.5f, -1.0f};
  EXPECT_EQ(possible({.temperature = 0, .repetition_penalty = 2}, logits, {0}), (Ids{1}));
  EXPECT_EQ(possible({.temperature = 0, .repetition_penalty = 4}, {-1.0f, -1.5f}, {0}),
            (Ids{1}));  // negative: multiplied
  EXPECT_EQ(possible({.temperature = 0, .logit_bias = {{2, 100}}}, logits), (Ids{2}));
  Sampler frequency({.temperature = 0, .frequency_penalty = 0.3}, Ids{0, 0, 0});  // the prompt does not count
  Ids ids;
  for (int i = 0; i < 5; ++i) ids.push_back(frequency.sample(logits)->id);
  EXPECT_EQ(ids, (Ids{0, 0, 1, 0, 1}));  // 2.0 1.7 | 1.4 < 1.5 | 1.4 > 1.2 | 1.1 < 1.2
  Sampler presence({.temperature = 0, .presence_penalty = 1}, {});
  EXPECT_EQ(presence.sample(logits)->id, 0);
  EXPECT_EQ(presence.sample(logits)->id, 1);
  EXPECT_EQ(presence.sample(logits)->id, 0);  // 1.0 against 0.5
}

TEST(Sampler, DrawsFollowTheProbabilitiesAndTheCounterAlone) {
  const auto logits = logs({0.5f, 0.3f, 0.2f});
  for (SamplerOptions o : {SamplerOptions{}, SamplerOptions{.top_k = 3, .top_p = 0.9999}}) {
    o.seed = test::seed();
    Sampler sampler(o, {});
    std::array<int, 3> count{};
    for (int i = 0; i < 20000; ++i) ++count[static_cast<size_t>(sampler.sample(logits)->id)];
    EXPECT_NEAR(count[0], 10000, 450);  // six standard deviations
    EXPECT_NEAR(count[1], 6000, 400);
  }
  Sampler a({.seed = 5}, {}), b({.seed = 5}, {});
  Ids first, second;
  for (int i = 0; i < 50; ++i) first.push_back(a.sample(logits)->id);
  for (int i = 0; i < 25; ++i) second.push_back(b.sample(logits)->id);
  Sampler copy = b;
  for (int i = 0; i < 25; ++i) b.sample(std::vector<float>{0, 0, 0}), second.push_back(copy.sample(logits)->id);
  EXPECT_EQ(first, second);
}

TEST(Sampler, TopPOfALargeVocabularyIsThatOfASort) {
  Random random(test::seed());
  std::vector<float> logits(5000);
  for (float& x : logits) x = static_cast<float>(random.normal());
  std::vector<float> sorted = logits;
  std::ranges::sort(sorted, std::greater{});
  double sum = 0, reached = 0;
  for (float x : sorted) sum += std::exp(static_cast<double>(x));
  float least = 0;
  for (float x : sorted) {
    least = x;
    if ((reached += std::exp(static_cast<double>(x))) >= 0.7 * sum) break;
  }
  for (uint64_t seed = 0; seed < 300; ++seed)
    EXPECT_GE(logits[static_cast<size_t>(Sampler({.top_p = 0.7, .seed = seed}, {}).sample(logits)->id)], least);
}

TEST(Sampler, LogProbabilitiesAreTheModelsOwn) {
  const auto logits = logs({0.1f, 0.4f, 0.4f, 0.1f});
  const auto s = Sampler({.temperature = 0, .logit_bias = {{3, 50}}, .logprobs = 3}, {}).sample(logits);
  EXPECT_EQ(s->id, 3);
  EXPECT_NEAR(s->logprob, std::log(0.1), 1e-6);
  ASSERT_EQ(s->top.size(), 3u);
  EXPECT_EQ(s->top[0].id, 1);
  EXPECT_EQ(s->top[1].id, 2);
  EXPECT_EQ(s->top[2].id, 0);
  EXPECT_NEAR(s->top[0].logprob, std::log(0.4), 1e-6);
}

TEST(Sampler, LogitsThatAreNoNumbersGiveNothing) {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (double temperature : {0.0, 1.0}) {
    Sampler s({.temperature = temperature}, {});
    EXPECT_FALSE(s.sample(std::vector{0.0f, nan}));
    EXPECT_FALSE(s.sample(std::vector{0.0f, inf}));
    EXPECT_FALSE(s.sample(std::vector{-inf, -inf}));
    EXPECT_EQ(s.sample(std::vector{-inf, 1.0f})->id, 1);
  }
}

TEST(Sampler, BadOptionsAreNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<SamplerOptions, std::string>> bad = {{{.temperature = -1}, "temperature"},
                                                                   {{.temperature = nan}, "temperature"},
                                                                   {{.top_k = -1}, "top_k"},
                                                                   {{.top_p = 0}, "top_p"},
                                                                   {{.top_p = 1.1}, "top_p"},
                                                                   {{.min_p = -0.1}, "min_p"},
                                                                   {{.typical_p = 0}, "typical_p"},
                                                                   {{.repetition_penalty = 0}, "repetition_penalty"},
                                                                   {{.frequency_penalty = 3}, "frequency_penalty"},
                                                                   {{.presence_penalty = -3}, "presence_penalty"},
                                                                   {{.logit_bias = {{10, 1}}}, "logit_bias"},
                                                                   {{.logit_bias = {{1, 101}}}, "logit_bias"},
                                                                   {{.logprobs = 21}, "logprobs"}};
  for (const auto& [options, field] : bad) {
    try {
      options.check(10);
      ADD_FAILURE() << field;
    } catch (const Error& fault) {
      EXPECT_EQ(fault.kind(), Kind::usage);
      EXPECT_NE(fault.render(Language::english).find(field), std::string::npos);
    }
  }
  SamplerOptions().check(10);
}

}  // namespace
}  // namespace madang
