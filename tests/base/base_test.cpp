// Errors as facts in two languages, JSON's bounds, threads, memory, mapped files, counted random numbers.
#include <atomic>
#include <fstream>
#include <numeric>
#include <set>

#include "base/arena.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/nearest.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "support.h"

namespace madang {
namespace {

TEST(Errors, CarryFactsInBothLanguages) {
  Error e(Kind::missing, say("cannot open the file: {}", "gone"));
  e.at("a.gguf").expected("a file").found("nothing");
  EXPECT_EQ(e.render(Language::english),
            "cannot open the file: gone\n  where: a.gguf\n  expected: a file\n  found: nothing");
  EXPECT_EQ(e.render(Language::korean),
            "파일을 열 수 없습니다: gone\n  위치: a.gguf\n  기대한 값: a file\n  실제 값: nothing");
  e.within("model");
  EXPECT_EQ(e.place(), "model: a.gguf");
}

TEST(Errors, HolesAreFilledInOrderOrByNumber) {
  EXPECT_EQ((Text{"{1} before {0}, {{braces}} and {9}", {"a", "b"}}.in(Language::english)),
            "b before a, {braces} and {9}");
  EXPECT_EQ((Text{"{} {} {}", {"a", "b"}}.in(Language::english)), "a b {}");
  EXPECT_EQ(language_of_locale("ko_KR.UTF-8"), Language::korean);
  EXPECT_EQ(language_of_locale("C"), Language::english);
}

TEST(JsonText, FaultsAreToldWithTheirPlace) {
  EXPECT_EQ(parse_json(R"({"b": 1, "a": [2]})", "x").dump(), R"({"b":1,"a":[2]})");
  for (const char* bad : {"", "{", "[1,]", "{\"a\":}", "\"\\ud800\"", "nul", "1 2", "\xff"}) {
    try {
      parse_json(bad, "config.json");
      FAIL() << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::format);
      EXPECT_NE(e.place().find("config.json"), std::string::npos);
    }
  }
  const std::string deep(200000, '[');
  EXPECT_THROW(parse_json(deep, "deep"), Error);
}

TEST(Threads, EveryPieceOnceWhateverTheNumber) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t n : {0, 1, 7, 1000})
      for (int64_t grain : {1, 3, 5000}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
        pool.parallel(n, grain, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
        });
        for (const auto& s : seen) ASSERT_EQ(s, 1);
      }
  }
}

TEST(Threads, ManyShortJobs) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum = 0;
  for (int i = 0; i < 20000; ++i) pool.parallel(4, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum, 80000);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // all asleep: the next job wakes them
  pool.parallel(3, 1, [&](int64_t, int64_t) { ++sum; });
  EXPECT_EQ(sum, 80003);
}

TEST(Threads, OneThatIsHeldUpHoldsUpNobody) {
  ThreadPool pool(3);
  constexpr int64_t n = 60;
  std::atomic<int64_t> done = 0;
  pool.parallel(n, 1, [&](int64_t begin, int64_t) {
    // The first piece ends when all others have: those of its share are done by whoever is free.
    while (begin == 0 && done < n - 1) std::this_thread::yield();
    ++done;
  });
  EXPECT_EQ(done, n);
}

TEST(ArenaMemory, AlignedKeptAndGivenBack) {
  Arena arena;
  auto* a = static_cast<char*>(arena.take(1));
  const auto mark = arena.mark();
  auto* b = static_cast<char*>(arena.take(3 << 20));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b) % 64, 0u);
  *a = 1;
  arena.rewind(mark);
  EXPECT_EQ(arena.take(3 << 20), b);
  EXPECT_EQ(*a, 1);
  const size_t capacity = arena.capacity();
  for (int i = 0; i < 100; ++i) arena.rewind({}), arena.take(2 << 20);
  EXPECT_EQ(arena.capacity(), capacity);
}

TEST(Files, MappedOrRefusedWithAReason) {
  test::TemporaryFolder folder;
  std::ofstream(folder / "a") << "hello";
  std::ofstream(folder / "empty");
  EXPECT_EQ(MappedFile::open(folder / "a")->bytes().size(), 5u);
  EXPECT_TRUE(MappedFile::open(folder / "empty")->bytes().empty());
  try {
    MappedFile::open(folder / "none");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::missing);
  }
  EXPECT_THROW(MappedFile::open(folder.path.string()), Error);
}

TEST(RandomNumbers, DependOnSeedAndCountAlone) {
  Random a(5), b(5, 3);
  for (int i = 0; i < 3; ++i) a.bits();
  EXPECT_EQ(a.bits(), b.bits());
  std::set<uint64_t> seen;
  double mean = 0, square = 0;
  Random r(test::seed());
  for (int i = 0; i < 100000; ++i) {
    const double x = r.normal();
    mean += x / 1e5, square += x * x / 1e5;
    seen.insert(r.bits());
  }
  EXPECT_NEAR(mean, 0, 0.02);
  EXPECT_NEAR(square, 1, 0.03);
  EXPECT_EQ(seen.size(), 100000u);
}

TEST(Names, TheNearestIsOffered) {
  const std::string_view known[] = {"llama", "mamba", "gemma3_text"};
  EXPECT_EQ(nearest("lama", known), "llama");
  EXPECT_EQ(nearest("gemma3", known), "gemma3_text");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_FALSE(nearest(std::string(1 << 20, 'm'), known).empty());
}

TEST(Processor, HasAName) { EXPECT_FALSE(Cpu::detect().name.empty()); }

}  // namespace
}  // namespace madang
