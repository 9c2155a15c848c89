// The store: one test of meaning for every backend, and what is left after a kill at any moment.
#include "serve/store/store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <pqxx/pqxx>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "postgres_server.h"
#include "serve/keys.h"
#include "support.h"

namespace madang {
namespace {

using test::PostgresServer;
using test::TemporaryFolder;

PostgresServer& postgres() {
  static PostgresServer server;
  return server;
}

StoredResponse response(const std::string& id, const std::string& previous = "", int64_t created = 1) {
  return {id, previous, created, Json{{"id", id}, {"text", "마당 \"\\\n \u0001"}}, Json::array({{{"n", 1}}})};
}

class StoreTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "sqlite") {
      where_ = folder_ / "store.db";
    } else {
      if (postgres().url().empty()) GTEST_SKIP() << postgres().why();
      where_ = postgres().url();
      pqxx::connection connection(where_);
      pqxx::nontransaction drop(connection);
      drop.exec("SET client_min_messages = warning");
      drop.exec("DROP SCHEMA IF EXISTS madang CASCADE");
    }
    store_ = open_store(where_);
  }
  void reopen() {
    store_.reset();
    store_ = open_store(where_);
  }

  TemporaryFolder folder_;
  std::string where_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, ResponsesBelongToTheirClient) {
  const StoredResponse first = response("resp_1");
  store_->put("ann", first);
  store_->put("bob", response("resp_1", "", 9));  // an id that is taken changes nothing of another's
  reopen();
  auto found = store_->response("ann", "resp_1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->response, first.response);
  EXPECT_EQ(found->input, first.input);
  EXPECT_EQ(found->created, 1);
  EXPECT_FALSE(store_->response("bob", "resp_1"));
  EXPECT_FALSE(store_->remove_response("bob", "resp_1"));
  EXPECT_TRUE(store_->remove_response("ann", "resp_1"));
  EXPECT_FALSE(store_->remove_response("ann", "resp_1"));
  EXPECT_FALSE(store_->response("ann", "resp_1"));
}

TEST_P(StoreTest, HalvesOfCharactersAreNoFault) {
  StoredResponse half = response("resp_1");
  half.response["token"] = "\xec\x84";
  store_->put("ann", half);
  EXPECT_EQ(store_->response("ann", "resp_1")->response["token"], "\xEF\xBF\xBD");
}

TEST_P(StoreTest, ThreadsAreWholeOrNothing) {
  store_->put("ann", response("a", "", 1));
  store_->put("ann", response("b", "a", 2));
  store_->put("ann", response("c", "b", 3));
  const auto thread = store_->thread("ann", "c");
  ASSERT_EQ(thread.size(), 3u);
  EXPECT_EQ(thread[0].id, "a");
  EXPECT_EQ(thread[2].id, "c");
  EXPECT_TRUE(store_->thread("bob", "c").empty());
  store_->remove_response("ann", "a");
  EXPECT_TRUE(store_->thread("ann", "c").empty());
  EXPECT_TRUE(store_->thread("ann", "never").empty());
  store_->put("ann", response("x", "y", 4));
  store_->put("ann", response("y", "x", 4));
  store_->put("ann", response("z", "z", 5));
  for (const char* id : {"x", "y", "z"}) EXPECT_TRUE(store_->thread("ann", id).empty());  // rings, and yet it ends
}

TEST_P(StoreTest, IdsOfAnyShapeAreMerelyNotThere) {
  for (std::string id : {std::string(), std::string("a\0b", 3), std::string("\xff"), std::string("'; DROP TABLE files"),
                         std::string(100000, 'x')}) {
    EXPECT_FALSE(store_->response("ann", id));
    EXPECT_TRUE(store_->thread("ann", id).empty());
    EXPECT_FALSE(store_->file("ann", id));
    EXPECT_FALSE(store_->bytes("ann", id));
    EXPECT_FALSE(store_->batch("ann", id));
    EXPECT_FALSE(store_->remove_file("ann", id));
    if (!id.empty()) {
      EXPECT_TRUE(store_->files("ann", "", {10, false, id}).rows.empty());
    }
  }
}

TEST_P(StoreTest, FilesKeepEveryByte) {
  Random random(test::seed());
  std::string bytes(2'500'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random.bits());
  for (size_t size : {size_t{0}, size_t{1}, size_t{1} << 20, (size_t{1} << 20) + 1, bytes.size()}) {
    const std::string id = "file-" + std::to_string(size);
    store_->put("ann", StoredFile{id, "이름 \".jsonl", "batch", 0, 5, {}}, std::string_view(bytes).substr(0, size));
    const auto file = store_->file("ann", id);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->bytes, static_cast<int64_t>(size));
    EXPECT_EQ(file->name, "이름 \".jsonl");
    EXPECT_TRUE(store_->bytes("ann", id) == bytes.substr(0, size));
    EXPECT_FALSE(store_->bytes("bob", id));
    EXPECT_FALSE(store_->remove_file("bob", id));
  }
  EXPECT_TRUE(store_->remove_file("ann", "file-1"));
  EXPECT_FALSE(store_->bytes("ann", "file-1"));
  EXPECT_FALSE(store_->file("ann", "file-1"));
}

TEST_P(StoreTest, FilesExpire) {
  store_->put("ann", StoredFile{"old", "old", "batch", 0, 1, 1000}, "gone");
  store_->put("ann", StoredFile{"new", "new", "batch", 0, 1, int64_t{1} << 40}, "here");
  EXPECT_FALSE(store_->file("ann", "old"));
  EXPECT_FALSE(store_->bytes("ann", "old"));
  EXPECT_EQ(store_->files("ann", "", {}).rows.size(), 1u);
  EXPECT_EQ(store_->file("ann", "new")->expires, int64_t{1} << 40);
}

TEST_P(StoreTest, ListsGoOnWhereTheyEnded) {
  for (int i = 0; i < 10; ++i)  // pairs made in one microsecond
    store_->put("ann", StoredFile{"file-" + std::to_string(i), "n", i % 2 ? "batch" : "user_data", 0, i / 2, {}}, "x");
  store_->put("bob", StoredFile{"file-bob", "n", "batch", 0, 3, {}}, "x");
  for (bool ascending : {false, true}) {
    std::vector<std::string> seen;
    Window window{3, ascending, ""};
    for (bool more = true; more; window.after = seen.back()) {
      auto page = store_->files("ann", "", window);
      ASSERT_LE(page.rows.size(), 3u);
      ASSERT_FALSE(page.rows.empty());
      for (const auto& file : page.rows) seen.push_back(file.id);
      more = page.more;
    }
    std::vector<std::string> expected;
    for (int i = 0; i < 10; ++i) expected.push_back("file-" + std::to_string(ascending ? i : 9 - i));
    EXPECT_EQ(seen, expected);
  }
  EXPECT_EQ(store_->files("ann", "batch", {}).rows.size(), 5u);
  EXPECT_TRUE(store_->files("ann", "", {5, false, "file-bob"}).rows.empty());
  EXPECT_TRUE(store_->files("ann", "", {5, false, "file-nobody"}).rows.empty());
}

TEST_P(StoreTest, BatchesGatherTheirLines) {
  StoredBatch batch{"batch_1", "ann", 7, true, Json{{"status", "in_progress"}}};
  store_->put(batch);
  for (int64_t line : {4, 0, 2}) store_->put("batch_1", LineResult{line, line == 2, "line " + std::to_string(line)});
  store_->put("batch_1", LineResult{4, true, "a second time"});
  reopen();
  EXPECT_EQ(store_->lines_done("batch_1"), (std::vector<int64_t>{0, 2, 4}));
  EXPECT_EQ(store_->counts("batch_1").completed, 2);
  EXPECT_EQ(store_->counts("batch_1").failed, 1);
  ASSERT_EQ(store_->unfinished_batches().size(), 1u);
  EXPECT_EQ(store_->unfinished_batches()[0].client, "ann");
  EXPECT_FALSE(store_->batch("bob", "batch_1"));
  EXPECT_TRUE(store_->batches("bob", {}).rows.empty());
  EXPECT_EQ(store_->batches("ann", {}).rows.size(), 1u);

  batch.facts["status"] = "completed";
  const auto ended = store_->finish(batch, {"file-o", "out.jsonl", "batch_output", 0, 8, {}},
                                    {"file-e", "err.jsonl", "batch_output", 0, 8, {}});
  EXPECT_EQ(ended.facts["output_file_id"], "file-o");
  EXPECT_EQ(store_->bytes("ann", "file-o"), "line 0\nline 4\n");
  EXPECT_EQ(store_->bytes("ann", "file-e"), "line 2\n");
  EXPECT_EQ(store_->file("ann", "file-o")->bytes, 14);
  EXPECT_TRUE(store_->unfinished_batches().empty());
  EXPECT_EQ(store_->batch("ann", "batch_1")->facts, ended.facts);
}

TEST_P(StoreTest, ABatchHasOneServerAtATime) {
  store_->put(StoredBatch{"batch_1", "ann", 7, true, Json::object()});
  const auto nobody = [](const std::string&) { return false; };
  auto lease = [&](const char* server, int64_t seconds = 60) {
    return store_->lease("batch_1", server, seconds, nobody);
  };
  EXPECT_TRUE(lease("a"));
  EXPECT_TRUE(lease("a"));
  EXPECT_FALSE(lease("b"));
  reopen();
  EXPECT_FALSE(lease("b"));
  store_->release("batch_1", "b");  // not its own
  EXPECT_FALSE(lease("b"));
  EXPECT_TRUE(lease("a", 0));  // it runs out at once
  EXPECT_TRUE(lease("b"));
  EXPECT_FALSE(lease("a"));
  EXPECT_TRUE(store_->lease("batch_1", "a", 60, [](const std::string& other) { return other == "b"; }));
  store_->release("batch_1", "a");
  EXPECT_TRUE(lease("b"));
  const auto ended =
      store_->finish({"batch_1", "ann", 7, true, Json::object()}, {"file-o", "o", "batch_output", 0, 8, {}},
                     {"file-e", "e", "batch_output", 0, 8, {}});
  EXPECT_FALSE(lease("b"));
  EXPECT_FALSE(store_->lease("batch_2", "b", 60, nobody));
}

TEST_P(StoreTest, KeysAreMadeAndTakenAway) {
  const std::string key = Keys::create(*store_, "web", R"({"tokens_per_minute": 7, "admin": true})");
  EXPECT_THROW(Keys::create(*store_, "web"), Error);
  EXPECT_THROW(Keys::create(*store_, "other", R"({"tokens": 7})"), Error);
  EXPECT_THROW(Keys::create(*store_, "other", R"({"weight": "much"})"), Error);
  const std::string second =
      Keys::create(*store_, "two", R"({"name": "web", "sha256": "00"})");  // its own all the same
  reopen();
  const Keys keys(store_->keys());
  EXPECT_EQ(keys.size(), 2u);
  ASSERT_TRUE(keys.find(key));
  EXPECT_EQ(keys.find(key)->name, "web");
  EXPECT_TRUE(keys.find(key)->admin);
  EXPECT_EQ(keys.find(second)->name, "two");
  for (const std::string& line : store_->keys()) EXPECT_EQ(line.find(key), std::string::npos);
  EXPECT_TRUE(store_->remove_key("web"));
  EXPECT_FALSE(store_->remove_key("web"));
  EXPECT_TRUE(store_->remove_key("two"));
  const Keys none(store_->keys());
  EXPECT_FALSE(none.find(key));
  EXPECT_TRUE(none.needed()) << "no key left is no open door";
  EXPECT_FALSE(Keys().needed());
}

TEST_P(StoreTest, ABatchWithoutFailuresHasNoErrorFile) {
  StoredBatch batch{"batch_1", "ann", 7, true, Json::object()};
  store_->put(batch);
  store_->put("batch_1", LineResult{0, false, "fine"});
  const auto ended =
      store_->finish(batch, {"file-o", "o", "batch_output", 0, 8, {}}, {"file-e", "e", "batch_output", 0, 8, {}});
  EXPECT_FALSE(ended.facts.contains("error_file_id"));
  EXPECT_FALSE(store_->file("ann", "file-e"));
}

TEST_P(StoreTest, UsageAddsUp) {
  store_->add_usage({"ann", "2026-11-24", "m", 1, 10, 4, 5});
  store_->add_usage({"ann", "2026-11-24", "m", 1, 20, 0, 6});
  store_->add_usage({"ann", "2026-11-25", "m", 1, 1, 0, 1});
  store_->add_usage({"bob", "2026-11-24", "m", 2, 7, 0, 7});
  const auto rows = store_->usage("ann", "2026-11-24", "2026-11-24");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].requests, 2);
  EXPECT_EQ(rows[0].prompt_tokens, 30);
  EXPECT_EQ(rows[0].reused_tokens, 4);
  EXPECT_EQ(rows[0].answer_tokens, 11);
  EXPECT_EQ(store_->usage({}, "2026-11-01", "2026-11-30").size(), 3u);
}

TEST_P(StoreTest, ManyThreadsMayUseIt) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        store_->add_usage({"ann", "2026-11-24", "m", 1, 1, 0, 1});
        store_->put("ann", response("r" + std::to_string(t * 100 + i)));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store_->usage("ann", "2026-11-24", "2026-11-24")[0].requests, 80);
}

// A child writes, and says through a pipe what it was told is stored. Whenever it is killed, that is what must be
// there.
void write_until_killed(const std::string& where, int round, int out) {
  auto store = open_store(where);
  const std::string mine = std::to_string(round);
  store->put(StoredBatch{"batch_" + mine, "ann", round, true, Json::object()});
  for (int32_t i = 0;; ++i) {
    const std::string id = mine + "-" + std::to_string(i);
    store->put("ann", response("resp_" + id));
    store->put("ann", StoredFile{"file-" + id, "n", "batch", 0, i, {}}, std::string(3000, 'a'));
    store->put("batch_" + mine, LineResult{i, false, "done"});
    if (write(out, &i, sizeof i) != sizeof i) _exit(1);
  }
}

int32_t acknowledged_before_kill(const std::string& where, int round, Random& random) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    try {
      write_until_killed(where, round, ends[1]);
    } catch (...) {
      _exit(2);
    }
  }
  close(ends[1]);
  int32_t told = 0, last = -1;
  auto take = [&] { return read(ends[0], &told, sizeof told) == sizeof told; };
  if (take()) last = told;  // alive
  std::this_thread::sleep_for(std::chrono::microseconds(random.below(20'000)));
  kill(child, SIGKILL);
  while (take()) last = told;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  return last;
}

TEST_P(StoreTest, NothingAcknowledgedIsLostByAKill) {
  store_.reset();
  Random random(test::seed());
  const int rounds = GetParam() == "sqlite" ? 50 : 15;
  int64_t total = 0;
  for (int round = 0; round < rounds; ++round) {
    const int32_t last = acknowledged_before_kill(where_, round, random);
    ASSERT_GE(last, 0);
    auto store = open_store(where_);
    const std::string mine = std::to_string(round);
    for (int32_t i = 0; i <= last; ++i) {
      const std::string id = mine + "-" + std::to_string(i);
      EXPECT_TRUE(store->response("ann", "resp_" + id)) << id;
      EXPECT_EQ(store->bytes("ann", "file-" + id), std::string(3000, 'a')) << id;
    }
    const auto lines = store->lines_done("batch_" + mine);
    EXPECT_GE(static_cast<int32_t>(lines.size()), last + 1);
    // What was not acknowledged is there as a whole or not at all.
    const auto half = store->file("ann", "file-" + mine + "-" + std::to_string(last + 1));
    if (half) {
      EXPECT_EQ(half->bytes, 3000);
      EXPECT_EQ(store->bytes("ann", half->id)->size(), 3000u);
    }
    total += last + 1;
  }
  std::cout << total << " writes of three were acknowledged in " << rounds << " lives\n";
}

INSTANTIATE_TEST_SUITE_P(, StoreTest, testing::Values("sqlite", "postgres"),
                         [](const auto& about) { return about.param; });

TEST(Store, PostgresComesBackAfterThePowerWent) {
  if (postgres().url().empty()) GTEST_SKIP() << postgres().why();
  auto store = open_store(postgres().url());
  store->put("power", response("resp_power"));
  ASSERT_TRUE(postgres().stop());
  EXPECT_THROW(store->response("power", "resp_power"), Error);
  ASSERT_TRUE(postgres().start());
  EXPECT_TRUE(store->response("power", "resp_power"));  // over a connection made anew
}

TEST(Store, SqliteFileIsPrivate) {
  TemporaryFolder folder;
  auto store = open_store(folder / "store.db");
  store->put("ann", response("r"));
  for (const char* name : {"store.db", "store.db-wal"}) {
    struct stat about;
    ASSERT_EQ(stat((folder / name).c_str(), &about), 0) << name;
    EXPECT_EQ(about.st_mode & 0777, 0600u) << name;
  }
}

TEST(Store, RefusesWhatIsNone) {
  TemporaryFolder folder;
  std::ofstream(folder / "text") << std::string(5000, 'x');
  try {
    open_store(folder / "text");
    FAIL();
  } catch (const Error& fault) {
    EXPECT_EQ(fault.kind(), Kind::format);
  }
  EXPECT_THROW(open_store(folder / "no/such/folder.db"), Error);
  try {
    open_store("postgresql://127.0.0.1:1/x?connect_timeout=2");
    FAIL();
  } catch (const Error& fault) {
    EXPECT_EQ(fault.kind(), Kind::network);
  }
}

TEST(Store, KeepsNothingUnlessAsked) {
  auto store = open_store("");
  EXPECT_FALSE(store->keeps());
  EXPECT_TRUE(store->unfinished_batches().empty());
  store->add_usage({"ann", "2026-11-24", "m", 1, 1, 0, 1});
  try {
    store->put("ann", response("r"));
    FAIL();
  } catch (const Error& fault) {
    EXPECT_EQ(fault.kind(), Kind::unsupported);
    EXPECT_NE(std::string(fault.what()).find("--store"), std::string::npos);
  }
}

}  // namespace
}  // namespace madang
