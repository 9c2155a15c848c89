// The engine room over tiny models: same bytes in any company, cancels, bounds, models that come and go, stopping.
#include "base/random.h"
#include "room_fixture.h"
#include "serve/problem.h"

namespace madang {
namespace {

struct Answer {
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<float> logprobs;
  Finish finish = Finish::none;
  bool operator==(const Answer&) const = default;
};

std::map<int, Answer> answers(const std::vector<Event>& events) {
  std::map<int, Answer> all;
  for (const Event& e : events) {
    Answer& a = all[e.choice];
    EXPECT_EQ(a.finish, Finish::none) << "an event after the last";
    if (e.token >= 0) a.tokens.push_back(e.token);
    a.text += e.text, a.finish = e.finish;
    if (e.logprobs) a.logprobs.push_back(e.logprobs->logprob);
  }
  return all;
}

Request random_request(Random& random, const std::vector<int32_t>& common) {
  Request r{.prompt = {common.begin(), common.begin() + random.between(1, static_cast<int64_t>(common.size()))}};
  for (int64_t own = random.between(0, 20); own > 0; --own)
    r.prompt.push_back(static_cast<int32_t>(random.between(5, 200)));
  r.sampler.temperature = random.between(0, 1) ? 1.0 : 0.0;
  r.sampler.seed = random.bits(), r.sampler.logprobs = 0;
  r.max_tokens = random.between(1, 24), r.n = static_cast<int>(random.between(1, 3));
  return r;
}

std::vector<int32_t> random_ids(Random& random, int64_t n) {
  std::vector<int32_t> ids;
  for (; n > 0; --n) ids.push_back(static_cast<int32_t>(random.between(5, 200)));
  return ids;
}

int status_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Problem& problem) {
    return problem.status();
  }
  return 200;
}

TEST(Room, SameBytesAloneAndUnderThirtyTwoOthersColdAndWarm) {
  Random random(test::seed());
  for (const char* name : {"llama-q8_0", "gemma3-q8_0", "mamba-f16"}) {
    SCOPED_TRACE(name);
    const std::vector<int32_t> common = random_ids(random, 150);
    std::vector<Request> requests;
    for (int i = 0; i < 33; ++i) requests.push_back(random_request(random, common));

    std::vector<std::map<int, Answer>> alone;
    ModelsOptions cold;
    cold.engine.cache_bytes = 0;
    test::Room one({name}, cold);
    auto single = one.wait(one.models().use(name));
    for (const Request& r : requests)
      alone.push_back(answers(one.read(*one.wait(single->engine->submit(r, Client{})))));

    test::Room many({name});
    auto shared = many.wait(many.models().use(name));
    for (const char* warmth : {"cold", "warm"}) {
      SCOPED_TRACE(warmth);
      std::vector<std::unique_ptr<TokenStream>> streams;
      std::vector<std::future<std::vector<Event>>> reading;
      for (const Request& r : requests) {
        streams.push_back(many.wait(shared->engine->submit(r, Client{.name = std::to_string(streams.size() % 3)})));
        reading.push_back(many.start(test::Room::all_of(*streams.back())));
        if (random.between(0, 4) == 0) many.turn();
      }
      for (size_t i = 0; i < requests.size(); ++i) {
        while (reading[i].wait_for(std::chrono::seconds(0)) != std::future_status::ready) many.turn();
        EXPECT_EQ(answers(reading[i].get()), alone[i]) << "request " << i;
      }
    }
    EXPECT_GT(shared->engine->load().stats.cache.hits, 0);
  }
}

TEST(Room, SixteenThatShareALongBeginningComputeItOnce) {
  Random random(test::seed());
  ModelsOptions options;
  options.engine.context = 2048;
  for (const char* name : {"llama-q8_0", "gemma3-q8_0", "mamba-f16"}) {
    SCOPED_TRACE(name);
    test::Room room({name}, options);
    auto model = room.wait(room.models().use(""));
    const std::vector<int32_t> common = random_ids(random, 1500);
    std::vector<std::unique_ptr<TokenStream>> streams;
    int64_t own = 0;
    for (int i = 0; i < 16; ++i) {
      Request r{.prompt = common};
      for (int32_t id : random_ids(random, 10 + i)) r.prompt.push_back(id), ++own;
      r.prompt[1500] = 5 + i;  // here at the latest they part
      r.sampler.temperature = 0, r.max_tokens = 4;
      streams.push_back(room.wait(model->engine->submit(std::move(r), Client{})));
    }
    for (auto& stream : streams)
      for (const Event& e : room.read(*stream)) EXPECT_NE(e.finish, Finish::failed);
    const auto load = model->engine->load();
    EXPECT_EQ(load.stats.prompt_tokens, 1500 + own);
    EXPECT_EQ(load.stats.cache.hits, 15);
    EXPECT_EQ(load.stats.cache.reused_tokens, 15 * 1500);
  }
}

TEST(Room, LettingGoCancelsWithinOneStep) {
  ModelsOptions options;
  options.engine.context = 100000;
  test::Room room({"llama-q8_0"}, options);
  auto model = room.wait(room.models().use(""));
  Request endless{.prompt = {5, 6, 7}, .sampler = {.temperature = 0}, .max_tokens = 50000};
  auto gone = room.wait(model->engine->submit(endless, Client{}));
  auto stays = room.wait(model->engine->submit(endless, Client{}));
  auto stopped = room.wait(model->engine->submit(endless, Client{}));
  EXPECT_EQ(room.wait(gone->next())->finish, Finish::none);
  gone.reset();
  stopped->cancel();
  // What had been computed by then may still come; the step after the cancel tells its end.
  const auto told = answers(room.read(*stopped));
  EXPECT_EQ(told.at(0).finish, Finish::cancelled);
  const int64_t steps = model->engine->load().stats.steps;
  while (model->engine->load().running != 1) {
    ASSERT_LT(model->engine->load().stats.steps, steps + 3);
    room.wait(stays->next());
  }
  stays.reset();
}

TEST(Room, WithoutKeysClientsShareByWhereTheyComeFrom) {
  Random random(test::seed());
  ModelsOptions options;
  options.engine.schedule.chunk = 64;
  for (const bool apart : {true, false}) {
    test::Room room({"llama-q8_0"}, options);
    auto model = room.wait(room.models().use(""));
    std::vector<int> order;
    std::vector<std::unique_ptr<TokenStream>> streams;
    std::vector<std::future<void>> reading;
    auto read = [&order](TokenStream& stream, int who) -> Task<void> {
      while (auto event = co_await stream.next())
        if (event->finish != Finish::none) order.push_back(who);
    };
    auto ask = [&](int who) {
      Request r{.prompt = random_ids(random, 400), .sampler = {.temperature = 0}, .max_tokens = 1, .reuse = false};
      const Client client{.name = "", .from = apart ? std::to_string(who) : "", .models = {}};
      streams.push_back(room.wait(model->engine->submit(std::move(r), client)));
      reading.push_back(room.start(read(*streams.back(), who)));
    };
    for (int i = 0; i < 12; ++i) ask(1);
    ask(2);
    for (auto& one : reading)
      while (one.wait_for(std::chrono::seconds(0)) != std::future_status::ready) room.turn();
    const auto place = std::ranges::find(order, 2) - order.begin();
    if (apart)
      EXPECT_LT(place, 8) << "one with many requests held up one with few";
    else
      EXPECT_EQ(place, 12);
  }
}

TEST(Room, RefusesBeforeAnythingRuns) {
  ModelsOptions options;
  options.engine.schedule.running = 2;
  options.waiting = 2;
  test::Room room({"llama-q8_0"}, options);
  auto model = room.wait(room.models().use(""));
  auto submit = [&](Request r) { return room.wait(model->engine->submit(std::move(r), Client{})); };
  EXPECT_EQ(status_of([&] { submit({}); }), 400);
  EXPECT_EQ(status_of([&] { submit({.prompt = std::vector<int32_t>(512, 7)}); }), 400);
  EXPECT_EQ(status_of([&] { submit({.prompt = {1 << 20}}); }), 400);
  const Request longer{.prompt = {5}, .sampler = {.temperature = 0}, .max_tokens = 500};
  std::vector<std::unique_ptr<TokenStream>> inside;
  for (int i = 0; i < 4; ++i) inside.push_back(submit(longer));
  try {
    submit(longer);
    ADD_FAILURE() << "more than may wait";
  } catch (const Problem& problem) {
    EXPECT_EQ(problem.status(), 429);
    EXPECT_GE(problem.retry_after().value_or(0), 1);
  }
  for (auto& stream : inside) room.read(*stream);
  EXPECT_NO_THROW(submit(longer));  // there is room again
}

TEST(Room, EmbeddingsAreTheSameWhateverRunsBesideThem) {
  Random random(test::seed());
  test::Room room({"qwen2-q8_0"});
  auto model = room.wait(room.models().use(""));
  std::vector<std::vector<int32_t>> prompts;
  for (int i = 0; i < 40; ++i) prompts.push_back(random_ids(random, random.between(1, 300)));
  std::vector<std::vector<float>> alone;
  for (const auto& prompt : prompts) alone.push_back(room.wait(model->engine->embed({prompt}, Client{}))[0]);
  std::vector<std::unique_ptr<TokenStream>> chats;
  for (int i = 0; i < 8; ++i)
    chats.push_back(room.wait(model->engine->submit(random_request(random, prompts[0]), Client{})));
  EXPECT_EQ(room.wait(model->engine->embed(prompts, Client{})), alone);
  for (auto& chat : chats) room.read(*chat);
  EXPECT_EQ(status_of([&] { room.wait(model->engine->embed({{}}, Client{})); }), 400);
}

TEST(Models, OpenOnDemandAndShareOneOpening) {
  test::Room room({"llama-q8_0", "qwen2-q8_0"});
  EXPECT_FALSE(room.models().list()[0].open);
  EXPECT_GT(room.models().list()[0].bytes, 0);
  const std::string second = "qwen2-q8_0";  // lives until its tasks have begun
  auto a = room.start(room.models().use(second)), b = room.start(room.models().use(second));
  auto first = room.wait(room.models().use(""));
  while (a.wait_for(std::chrono::seconds(0)) != std::future_status::ready ||
         b.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    room.turn();
  EXPECT_EQ(a.get(), b.get());
  EXPECT_EQ(first->name, "llama-q8_0");
  EXPECT_TRUE(room.models().list()[1].open);
  EXPECT_EQ(room.models().list()[1].context, 512);
  try {
    room.wait(room.models().use("qwen3-q8_0"));
    ADD_FAILURE() << "there is no such model";
  } catch (const Problem& problem) {
    EXPECT_EQ(problem.status(), 404);
    EXPECT_EQ(problem.code(), "model_not_found");
    EXPECT_NE(problem.message().find("qwen2-q8_0"), std::string::npos);
  }
}

TEST(Models, GuessAheadAndSayTheSame) {
  ModelsOptions plain, guessing;
  plain.models = {{"drafted", test::data_folder() + "/models/tiny-zamba2"}};
  guessing.models = plain.models, guessing.models[0].draft = test::data_folder() + "/models/tiny-bamba";
  guessing.prompt_lookup = true;  // for the other
  test::Room one({"llama-q8_0"}, plain), other({"llama-q8_0"}, guessing);
  Random random(test::seed());
  for (const char* name : {"drafted", "llama-q8_0"}) {
    SCOPED_TRACE(name);
    Request r{.prompt = {}, .sampler = {.temperature = 0, .logprobs = 0}, .max_tokens = 150};
    for (int i = 0; i < 20; ++i) r.prompt.push_back(static_cast<int32_t>(random.between(5, 60)));  // both know them
    auto without = one.wait(one.models().use(name)), with = other.wait(other.models().use(name));
    EXPECT_EQ(answers(other.read(*other.wait(with->engine->submit(r, Client{})))),
              answers(one.read(*one.wait(without->engine->submit(r, Client{})))));
    EXPECT_EQ(without->engine->load().stats.guessed, 0);
    EXPECT_GT(with->engine->load().stats.guessed, 0);
  }
  test::Room wrong(
      {},
      {.models = {{"m", test::data_folder() + "/models/qwen2", "", test::data_folder() + "/gguf/gemma3-q8_0.gguf"}}});
  EXPECT_EQ(status_of([&] { wrong.wait(wrong.models().use("m")); }), 500);
}

TEST(Models, CloseByLeastUseAndNeverInUse) {
  ModelsOptions options;
  options.memory = 1 << 20;  // of which three eighths are for states and cache: one model of 142 or 116 KB, not two
  test::Room room({"llama-q8_0", "qwen2-q8_0"}, options);
  auto held = room.wait(room.models().use("llama-q8_0"));
  auto stream =
      room.wait(held->engine->submit({.prompt = {5, 6}, .sampler = {.temperature = 0}, .max_tokens = 100}, Client{}));
  auto before = answers(room.read(*stream));
  auto other = room.wait(room.models().use("qwen2-q8_0"));
  EXPECT_TRUE(room.models().list()[0].open);  // both fit
  options.memory = 700'000;
  test::Room tight({"llama-q8_0", "qwen2-q8_0"}, options);
  held = tight.wait(tight.models().use("llama-q8_0"));
  EXPECT_EQ(status_of([&] { tight.wait(tight.models().use("qwen2-q8_0")); }), 503);
  held.reset();
  EXPECT_NO_THROW(tight.wait(tight.models().use("qwen2-q8_0")));
  EXPECT_FALSE(tight.models().list()[0].open);
  held = tight.wait(tight.models().use("llama-q8_0"));  // and back again: the same answer
  stream =
      tight.wait(held->engine->submit({.prompt = {5, 6}, .sampler = {.temperature = 0}, .max_tokens = 100}, Client{}));
  EXPECT_EQ(answers(tight.read(*stream)), before);
  stream.reset(), held.reset();  // they belong to the room that ends before them
  options.memory = 100'000;
  test::Room small({"llama-q8_0"}, options);
  EXPECT_EQ(status_of([&] { small.wait(small.models().use("")); }), 503);
}

TEST(Models, AFileThatCannotBeOpenedIsToldToAllThatWait) {
  test::Room room({"llama-q8_0", "nothing-there"});
  const std::string name = "nothing-there";
  auto a = room.start(room.models().use(name));
  EXPECT_EQ(status_of([&] { room.wait(room.models().use(name)); }), 500);
  EXPECT_THROW(a.get(), Problem);
  EXPECT_NO_THROW(room.wait(room.models().use("llama-q8_0")));
}

TEST(Models, ADamagedFileSaysWhatIsWrongUntilItIsAnother) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path.string() + "/model.gguf", whole = test::data_folder() + "/gguf/llama-q8_0.gguf";
  std::filesystem::copy_file(whole, path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1000);
  ModelsOptions options;
  options.models = {{"damaged", path}};
  test::Room room({}, options);
  std::vector<std::string> told;
  for (int i = 0; i < 2; ++i) {
    try {
      room.wait(room.models().use("damaged"));
      FAIL() << "it was opened";
    } catch (const Problem& problem) {
      EXPECT_EQ(problem.status(), 500);
      EXPECT_EQ(problem.code(), "model_unusable");
      EXPECT_TRUE(problem.lasts());
      told.push_back(problem.message());
    }
  }
  EXPECT_EQ(told[0], told[1]);
  EXPECT_NE(told[0].find("tensor"), std::string::npos) << told[0];
  EXPECT_EQ(told[0].find(folder.path.string()), std::string::npos) << "clients need not know our files";
  std::filesystem::copy_file(whole, path, std::filesystem::copy_options::overwrite_existing);
  EXPECT_NO_THROW(room.wait(room.models().use("damaged")));
}

TEST(Models, TellTheirContextBeforeTheyAreOpen) {
  test::Room room({"llama-q8_0"});
  EXPECT_EQ(room.models().list()[0].context, 512);  // as given
  ModelsOptions options;
  options.models = {{"a", test::data_folder() + "/gguf/llama-q8_0.gguf"}};
  test::Room other({}, options);
  const int64_t before = other.models().list()[0].context;
  EXPECT_EQ(before, other.wait(other.models().use("a"))->engine->context());
}

TEST(Room, StopsWithRunningStreams) {
  ModelsOptions options;
  options.engine.context = 100000;
  test::Room room({"llama-q8_0"}, options);
  auto model = room.wait(room.models().use(""));
  auto stream = room.wait(
      model->engine->submit({.prompt = {5}, .sampler = {.temperature = 0}, .max_tokens = 50000, .n = 2}, Client{}));
  room.wait(stream->next());
  room.close();
  for (const auto& [choice, answer] : answers(room.read(*stream))) EXPECT_EQ(answer.finish, Finish::cancelled);
  EXPECT_EQ(status_of([&] { room.wait(model->engine->submit({.prompt = {5}}, Client{})); }), 503);
}

}  // namespace
}  // namespace madang
