// Guessing ahead changes nothing but time: random mixes of requests, greedy and sampled, with penalties, ends, stop
// texts, log probabilities, cached prefixes, preemption, restores and cancelling, guessed for by one that is often
// right and often wrong, by looking back and by a smaller model, give token by token and bit by bit what each request
// gives alone without guesses.
#include "engine/draft.h"
#include "engine/prompt_lookup.h"
#include "models.h"

namespace madang {
namespace {

// One choice's answer as far as it has come.
struct Answer {
  struct Token {
    int32_t id;
    uint64_t row;  // the bits of the logits it was drawn from
    Sampled logprobs;
    std::string text;
  };
  std::vector<Token> tokens;
  std::string rest, stop;
  Finish finish = Finish::none;
  Usage usage;
};

uint64_t bits_of(std::span<const float> row) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a, by numbers
  for (float x : row) hash = (hash ^ std::bit_cast<uint32_t>(x)) * 1099511628211u;
  return hash;
}

bool operator==(const Sampled& a, const Sampled& b) {
  auto same = [](const TokenLogprob& x, const TokenLogprob& y) { return x.id == y.id && x.logprob == y.logprob; };
  return a.id == b.id && a.logprob == b.logprob && std::ranges::equal(a.top, b.top, same);
}

// Steps an engine and writes down what it tells.
class Listener {
 public:
  explicit Listener(Engine& engine) : engine_(engine) {
    engine.on_logits = [this](int64_t request, int choice, std::span<const float> logits) {
      rows_[{request, choice}].push_back(bits_of(logits));
    };
  }
  void step() {
    for (const Event& e : engine_.step()) {
      EXPECT_NE(e.finish, Finish::failed) << e.fault->what();
      Answer& a = answers_[{e.request, e.choice}];
      auto& rows = rows_[{e.request, e.choice}];
      if (e.token >= 0) {
        ASSERT_FALSE(rows.empty());
        a.tokens.push_back({e.token, rows.front(), e.logprobs.value_or(Sampled{}), e.text});
        rows.erase(rows.begin());
      } else {
        a.rest = e.text;
      }
      a.finish = e.finish, a.stop = e.stop, a.usage = e.usage;
    }
  }
  void forget_after(int64_t request, int64_t tokens) {
    answers_[{request, 0}].tokens.resize(static_cast<size_t>(tokens));
  }
  std::map<std::pair<int64_t, int>, Answer>& answers() { return answers_; }

 private:
  Engine& engine_;
  std::map<std::pair<int64_t, int>, Answer> answers_;
  std::map<std::pair<int64_t, int>, std::vector<uint64_t>> rows_;
};

// Knows the answers and is often wrong all the same.
class Teller : public Guesser {
 public:
  Teller(uint64_t seed, int64_t vocabulary) : random_(seed), vocabulary_(vocabulary) {}
  void guess(Workplace&, std::span<Guess> all) override {
    for (Guess& g : all)
      for (const std::vector<int32_t>& text : texts) {
        if (text.size() <= g.tokens.size() || !std::ranges::equal(g.tokens, std::span(text).first(g.tokens.size())))
          continue;
        for (int64_t count = random_.between(0, g.most); count > 0; --count) {
          const size_t at = g.tokens.size() + g.guessed.size();
          const bool right = at < text.size() && random_.between(0, 5) > 0;
          g.guessed.push_back(right ? text[at] : static_cast<int32_t>(random_.between(0, vocabulary_ - 1)));
        }
        break;
      }
  }
  std::vector<std::vector<int32_t>> texts;

 private:
  Random random_;
  int64_t vocabulary_;
};

// A model that guesses for itself as if that cost nothing: what it guesses is what it says.
class Itself : public Draft {
 public:
  Itself(const std::shared_ptr<const Checkpoint>& model, const EngineOptions& options)
      : Draft(model, *model, options) {}
  double cost() const override { return 0; }
};

class Guessing : public test::OnTinyModels {
 protected:
  std::vector<Request> requests() {
    const std::vector<int32_t> common = some_ids(100);
    std::vector<Request> all;
    for (int i = 0; i < 6; ++i) {
      Request r{.prompt = {common.begin(), common.begin() + between(1, 100)}};
      for (int64_t own = between(0, 10); own > 0; --own) r.prompt.push_back(some_id());
      r.sampler = {.temperature = between(0, 1) ? 0.0 : 0.7, .seed = random_.bits()};
      if (between(0, 1)) r.sampler.top_k = between(1, 40), r.sampler.top_p = 0.9;
      if (between(0, 2) == 0) r.sampler.repetition_penalty = 1.2, r.sampler.frequency_penalty = 0.3;
      if (between(0, 1)) r.sampler.logprobs = static_cast<int>(between(0, 3));
      r.max_tokens = between(1, 60), r.n = static_cast<int>(between(1, 2));
      all.push_back(std::move(r));
    }
    return all;
  }

  std::vector<std::vector<Answer>> alone(std::vector<Request> requests, EngineOptions o) {
    std::vector<std::vector<Answer>> all;
    for (Request& r : requests) {
      Engine engine(checkpoint_->model(), checkpoint_->tokenizer(), 0, o);
      Listener listener(engine);
      const int n = r.n;
      const int64_t number = engine.submit(std::move(r));
      while (engine.busy()) listener.step();
      all.emplace_back();
      for (int choice = 0; choice < n; ++choice) all.back().push_back(listener.answers()[{number, choice}]);
    }
    return all;
  }

  // Some answers are to end where they would not by themselves: at a token, or at a text that one of them completes.
  void end_early(std::vector<Request>& requests, const std::vector<std::vector<Answer>>& answers) {
    for (size_t i = 0; i < requests.size(); ++i) {
      const auto& tokens = answers[i][0].tokens;
      const auto& chosen = tokens[static_cast<size_t>(between(0, static_cast<int64_t>(tokens.size()) - 1))];
      if (between(0, 2) == 0) requests[i].ends.push_back(chosen.id);
      if (between(0, 1) == 0 && !chosen.text.empty()) requests[i].stops.push_back(chosen.text);
    }
  }

  void mix(const std::vector<Request>& requests, const std::vector<std::vector<Answer>>& want, EngineOptions o) {
    Engine engine(checkpoint_->model(), checkpoint_->tokenizer(), 0, o);
    Listener listener(engine);
    std::map<int64_t, size_t> numbers;  // of requests
    std::map<int64_t, Mark> marks;
    std::set<int64_t> cancelled, restored;
    size_t next = 0;
    for (int acts = 40; next < requests.size() || engine.busy();) {
      if (next < requests.size() && between(0, 2) == 0) numbers[engine.submit(requests[next])] = next, ++next;
      if (!numbers.empty() && acts-- > 0) {
        const int64_t number = between(1, static_cast<int64_t>(numbers.size()));
        try {
          if (const int64_t act = between(0, 19); act < 4) {
            marks[number] = engine.mark(number);
          } else if (act < 8 && marks.contains(number)) {
            engine.restore(number, 0, marks[number]), restored.insert(number);
            listener.forget_after(number, marks[number]->usage.answer);
          } else if (act == 8) {
            engine.cancel(number), cancelled.insert(number);
          }
        } catch (const Error& fault) {
          ASSERT_EQ(fault.kind(), Kind::missing) << fault.what();  // has ended
        }
      }
      ASSERT_NO_FATAL_FAILURE(listener.step());
    }
    for (const auto& [number, index] : numbers)
      for (int choice = 0; choice < requests[index].n; ++choice) {
        SCOPED_TRACE(fmt::format("request {} choice {}", number, choice));
        compare(listener.answers()[{number, choice}], want[index][static_cast<size_t>(choice)],
                cancelled.contains(number), restored.contains(number));
      }
    hits_ += engine.stats().cache.hits, preemptions_ += engine.stats().preemptions;
    accepted_ += engine.stats().accepted, wrong_ += engine.stats().guessed - engine.stats().accepted;
    restores_ += static_cast<int64_t>(restored.size());
  }

  void compare(const Answer& got, const Answer& want, bool cancelled, bool restored) {
    if (cancelled && got.finish == Finish::cancelled) {
      ASSERT_LE(got.tokens.size(), want.tokens.size());
    } else {
      ASSERT_EQ(got.tokens.size(), want.tokens.size());
      EXPECT_EQ(name_of(got.finish), name_of(want.finish));
      EXPECT_EQ(got.stop, want.stop);
      EXPECT_EQ(got.rest, want.rest);
      EXPECT_EQ(got.usage.answer, want.usage.answer);
    }
    for (size_t i = 0; i < got.tokens.size(); ++i) {
      ASSERT_EQ(got.tokens[i].id, want.tokens[i].id) << "token " << i;
      ASSERT_EQ(got.tokens[i].row, want.tokens[i].row) << "token " << i << ": drawn from other logits";
      ASSERT_TRUE(got.tokens[i].logprobs == want.tokens[i].logprobs) << "token " << i;
      // What was told before a restore is told again as far as it was still held back then.
      if (!restored) ASSERT_EQ(got.tokens[i].text, want.tokens[i].text) << "token " << i;
    }
    tokens_ += static_cast<int64_t>(got.tokens.size());
  }

  static void TearDownTestSuite() {
    EXPECT_GT(all_hits, 0);
    EXPECT_GT(all_restores, 0);
  }

  inline static int64_t all_hits = 0, all_restores = 0;
  int64_t tokens_ = 0, hits_ = 0, preemptions_ = 0, restores_ = 0, accepted_ = 0, wrong_ = 0;
};

TEST_P(Guessing, ChangesNothing) {
  const Model& model = checkpoint_->model();
  for (int trial = 0; trial < 6; ++trial) {
    SCOPED_TRACE("trial " + std::to_string(trial));
    EngineOptions o = options(between(0, 3), 200);
    std::vector<Request> all = requests();
    end_early(all, alone(all, o));
    const auto want = alone(all, o);
    auto teller = std::make_shared<Teller>(random_.bits(), model.vocabulary());
    for (size_t i = 0; i < all.size(); ++i)
      for (const Answer& a : want[i]) {
        teller->texts.push_back(all[i].prompt);
        for (const Answer::Token& t : a.tokens) teller->texts.back().push_back(t.id);
      }
    o.schedule = {.chunk = between(1, 70), .step_tokens = between(2, 100), .running = between(1, 6)};
    o.cache_bytes = between(0, 2) == 0 ? 0 : int64_t{1} << between(18, 24);
    o.guesses = between(1, 12);
    if (trial % 3 == 2)
      o.guesser = std::make_shared<PromptLookup>();
    else if (trial == 1)
      o.guesser = std::make_shared<Itself>(checkpoint_, o);
    else
      o.guesser = teller;
    if (trial % 2 == 0) {  // room for about two long sequences
      o.schedule.running = 6;
      for (const StateSpec& s : model.states())
        o.schedule.memory += 2 * (s.bytes_at(o.kv, 200) + s.bytes_per_token(o.kv) * (200 + o.schedule.chunk));
    }
    ASSERT_NO_FATAL_FAILURE(mix(all, want, o));
  }
  // The mixes were mixes; what may be missing in one model's is counted over all.
  EXPECT_GT(tokens_, 100);
  all_hits += hits_, all_restores += restores_;
  EXPECT_GT(accepted_, 0);
  EXPECT_GT(wrong_, 0);
  std::cout << tokens_ << " tokens, " << accepted_ << " guesses right, " << wrong_ << " not, " << hits_ << " hits, "
            << preemptions_ << " preemptions, " << restores_ << " restored\n";
}

// Right for a while, then fails as something does that has run out of memory.
class Failing : public Teller {
 public:
  using Teller::Teller;
  void guess(Workplace& work, std::span<Guess> all) override {
    Teller::guess(work, all);
    if (++asked > 3) throw std::bad_alloc();
  }
  int asked = 0;
};

TEST(Guesser, ThatFailsIsToldOnceAndAskedNoMore) {
  const auto model = Checkpoint::open(test::data_folder() + "/models/qwen2");
  const int64_t vocabulary = model->model().vocabulary();
  Random random(test::seed());
  const int32_t id = static_cast<int32_t>(random.between(0, vocabulary - 1));
  const Request request{.prompt = {id, id, id}, .sampler = {.temperature = 1, .seed = random.bits()}, .max_tokens = 60};
  const auto answers = [&](const EngineOptions& o, bool& lost) {
    Engine engine(model->model(), nullptr, 0, o);
    Listener listener(engine);
    for (int i = 0; i < 2; ++i) engine.submit(request);
    while (engine.busy()) listener.step();
    lost = engine.stats().guessing_lost;
    return listener.answers();
  };
  EngineOptions o{.work = {.threads = 1}, .context = 100};
  bool lost = true;
  const auto want = answers(o, lost);
  EXPECT_FALSE(lost);
  const auto failing = std::make_shared<Failing>(random.bits(), vocabulary);
  failing->texts.push_back(request.prompt);
  for (const Answer::Token& t : want.at({1, 0}).tokens) failing->texts[0].push_back(t.id);
  std::vector<std::string> told;
  o.guesser = failing, o.on_guessing_lost = [&](const Text& what) { told.push_back(what.in(Language::english)); };
  const auto got = answers(o, lost);
  EXPECT_TRUE(lost);
  EXPECT_EQ(failing->asked, 4);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find(std::bad_alloc().what()), std::string::npos) << told[0];
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [choice, answer] : want) {
    const auto& tokens = got.at(choice).tokens;
    ASSERT_EQ(tokens.size(), answer.tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) EXPECT_EQ(tokens[i].row, answer.tokens[i].row) << "token " << i;
  }
}

TEST(Draft, OfTheSameWeightsIsRight) {
  const auto model = Checkpoint::open(test::data_folder() + "/models/qwen2");
  EngineOptions o{.work = {.threads = 1}, .context = 300};
  o.guesser = std::make_shared<Itself>(model, o);
  Engine engine(model->model(), nullptr, 0, o);
  Random random(test::seed());
  for (const double temperature : {0.0, 1.0}) {
    const EngineStats before = engine.stats();
    std::vector<int32_t> prompt;
    for (int i = 0; i < 20; ++i)
      prompt.push_back(static_cast<int32_t>(random.between(0, model->model().vocabulary() - 1)));
    engine.submit(
        {.prompt = prompt, .sampler = {.temperature = temperature, .seed = random.bits()}, .max_tokens = 200});
    while (engine.busy()) engine.step();
    EXPECT_GT(engine.stats().guessed - before.guessed, 150);
    EXPECT_EQ(engine.stats().accepted - before.accepted, engine.stats().guessed - before.guessed);
    EXPECT_LT(engine.stats().steps - before.steps, 40);
  }
}

TEST(Draft, OfAnotherVocabularyIsRefused) {
  const auto model = Checkpoint::open(test::data_folder() + "/models/qwen2");
  const auto other = Checkpoint::open(test::data_folder() + "/gguf/qwen2-q8_0.gguf");
  try {
    Draft draft(other, *model, EngineOptions{});
    FAIL() << "taken";
  } catch (const Error& fault) {
    EXPECT_EQ(fault.kind(), Kind::mismatch);
    EXPECT_NE(std::string(fault.what()).find(other->path()), std::string::npos) << fault.what();
  }
}

TEST(PromptLookup, GoesOnFromTheLongestAndLatestPlace) {
  using Ids = std::vector<int32_t>;
  auto looked = [](Ids tokens, int64_t most) { return looked_up(tokens, most); };
  EXPECT_EQ(looked({1, 2, 3, 4, 9, 2, 3}, 3), (Ids{4, 9, 2}));
  EXPECT_EQ(looked({1, 2, 3, 4, 2, 3, 5, 2, 3}, 1), (Ids{5}));           // the latest of equals
  EXPECT_EQ(looked({1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3}, 2), (Ids{4, 7}));  // three shared before two
  EXPECT_EQ(looked({8, 1, 2, 1, 2}, 5), (Ids{1, 2, 1, 2, 1}));           // a period goes on past the end
  EXPECT_EQ(looked({5, 5, 5}, 2), (Ids{5, 5}));
  EXPECT_EQ(looked({1, 2, 3, 2}, 4), Ids{});  // one token shared is chance
  EXPECT_EQ(looked({1}, 4), Ids{});
}

TEST(Luck, ReadsAsManyGuessesAsPay) {
  Luck luck;
  const int64_t unknown = luck.worth(0.2, 100);
  EXPECT_GT(unknown, 1);
  EXPECT_LT(unknown, 16);
  EXPECT_LT(luck.worth(0.5, 100), unknown);
  EXPECT_EQ(luck.worth(1, 100), 0);  // a guess that costs a step is never worth it
  for (int i = 0; i < 20; ++i) luck.judged(8, false);
  EXPECT_EQ(luck.worth(0.2, 100), 100);
  EXPECT_EQ(luck.worth(0.2, 12), 12);
  for (int i = 0; i < 20; ++i) luck.judged(0, true);
  EXPECT_EQ(luck.worth(0.2, 100), 0);
  int64_t tries = 0;
  for (int i = 0; i < 1000; ++i)
    if (luck.worth(0.2, 100) > 0)
      luck.judged(0, true), ++tries;
    else
      luck.passed();
  EXPECT_GT(tries, 10);  // it is tried again, but what that costs is small
  EXPECT_LT(tries, 200);
}

INSTANTIATE_TEST_SUITE_P(Models, Guessing, test::on_tiny_models(), test::tiny_model_name);

}  // namespace
}  // namespace madang
