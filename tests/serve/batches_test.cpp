// Files and batches: the handlers over an exchange without a socket, and a runner that is killed and goes on.
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <set>
#include <thread>

#include "base/random.h"
#include "serve/api/batch_runner.h"
#include "serve/api/routes.h"
#include "serve/forms.h"
#include "serve/limits.h"
#include "serve/log.h"
#include "serve/metrics.h"
#include "serve/problem.h"
#include "serve/store/store.h"
#include "support.h"

namespace madang {
namespace {

using test::form;
using test::form_type;
using test::part;
using test::TemporaryFolder;

// A server without sockets: the store is real, the model a few lines.

struct NoModels final : Models {
  Task<std::shared_ptr<const OpenModel>> use(const std::string&) override { co_return nullptr; }
  std::vector<ModelStatus> list() const override { return {}; }
};

class Letter final : public Exchange {
 public:
  explicit Letter(HttpRequest r) : request_(std::move(r)) {}
  const HttpRequest& request() const override { return request_; }
  void header(std::string, std::string) override {}
  Task<void> reply(int code, std::string_view, std::string text) override {
    status = code;
    body = std::move(text);
    co_return;
  }
  Task<void> begin(int code, std::string_view) override {
    status = code;
    co_return;
  }
  Task<void> write(std::string piece) override {
    body += piece;
    co_return;
  }
  Task<void> end() override { co_return; }
  bool begun() const override { return status != 0; }
  bool gone() const override { return false; }
  void on_gone(std::function<void()>) override {}
  void note(std::string_view, std::string) override {}
  int status = 0;
  std::string body;

 private:
  HttpRequest request_;
};

struct House {
  explicit House(const std::string& where, std::function<Task<void>(Services&, Exchange&)> chat,
                 std::string server = server_name())
      : store(open_store(where)),
        services{models, *store, metrics, log, limits, helpers},
        runner(io.get_executor(), services, {{"POST", "/v1/chat/completions", std::move(chat)}}, std::move(server)) {
    services.batches = &runner;
  }
  ~House() {
    runner.stop();
    io.run();
    helpers.join();
  }

  /// The answer's JSON; its status in `status`.
  Json ask(const std::string& method, const std::string& path, const std::string& body = "",
           const std::string& client = "ann") {
    const std::string target = path.substr(0, path.find('?'));
    for (const auto& rows : {file_routes(), batch_routes()})
      for (const Route& route : rows) {
        HttpRequest request;
        if (route.method != method || !fits(route.pattern, target, request.parameters)) continue;
        request.body = body;
        request.client.name = client;
        request.headers = {{"content-type", form_type}};
        if (path != target) {
          const std::string query = path.substr(target.size() + 1);
          request.query[query.substr(0, query.find('='))] = query.substr(query.find('=') + 1);
        }
        return answer(route, std::move(request));
      }
    ADD_FAILURE() << method << " " << path;
    return {};
  }

  Json answer(const Route& route, HttpRequest request) {
    Letter letter(std::move(request));
    std::optional<Problem> problem;
    bool done = false;
    boost::asio::co_spawn(io, route.handle(services, letter), [&](std::exception_ptr fault) {
      done = true;
      try {
        if (fault) std::rethrow_exception(fault);
      } catch (const Problem& p) {
        problem = p;
      } catch (const Error& e) {
        problem = Problem(e);
      }
    });
    run_until([&] { return done; });
    status = problem ? problem->status() : letter.status;
    raw = problem ? problem->openai().dump() : letter.body;
    return Json::parse(raw, nullptr, false);
  }

  template <class F>
  void run_until(F there) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    io.restart();
    while (!there() && std::chrono::steady_clock::now() < end) {
      if (io.run_one_for(std::chrono::milliseconds(20)) == 0) io.restart();
    }
    EXPECT_TRUE(there());
  }

  static bool fits(const std::string& pattern, const std::string& path, std::map<std::string, std::string>& out) {
    const size_t at = pattern.find("{id}");
    if (at == pattern.npos) return pattern == path;
    const std::string head = pattern.substr(0, at), tail = pattern.substr(at + 4);
    if (!path.starts_with(head) || !path.ends_with(tail) || path.size() <= head.size() + tail.size()) return false;
    out["id"] = path.substr(head.size(), path.size() - head.size() - tail.size());
    return out["id"].find('/') == std::string::npos;
  }

  std::string upload(const std::string& bytes) {
    return ask("POST", "/v1/files",
               form(part("name=purpose", "batch") + part("name=file; filename=jobs.jsonl", bytes)))["id"];
  }
  Json batch_of(const std::string& file) {
    return ask(
        "POST", "/v1/batches",
        Json{{"input_file_id", file}, {"endpoint", "/v1/chat/completions"}, {"completion_window", "24h"}}.dump());
  }
  Json wait(const std::string& id, const std::string& wanted) {
    Json batch;
    for (int i = 0; i < 2000; ++i) {
      batch = ask("GET", "/v1/batches/" + id);
      if (batch["status"] == wanted) return batch;
      io.restart();
      io.run_for(std::chrono::milliseconds(2));
    }
    ADD_FAILURE() << batch.dump(1);
    return batch;
  }
  std::vector<Json> lines(const Json& file) {
    ask("GET", "/v1/files/" + file.get<std::string>() + "/content");
    std::vector<Json> out;
    std::stringstream in(raw);
    for (std::string line; std::getline(in, line);) out.push_back(Json::parse(line));
    return out;
  }

  boost::asio::io_context io{1};
  boost::asio::thread_pool helpers{2};
  NoModels models;
  Metrics metrics;
  Log log;
  Limits limits;
  std::unique_ptr<Store> store;
  Services services;
  BatchRunner runner;
  int status = 0;
  std::string raw;
};

std::string jobs(int n) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out += Json{{"custom_id", "line-" + std::to_string(i)},
                {"method", "POST"},
                {"url", "/v1/chat/completions"},
                {"body", {{"number", i}}}}
               .dump() +
           "\n";
  return out;
}

/// Answers with twice the number; refuses 3; is too busy for 5 at first.
struct Chat {
  std::multiset<int> asked;
  double seconds = 0;

  Task<void> operator()(Services&, Exchange& x) {
    const int number = Json::parse(x.request().body)["number"];
    asked.insert(number);
    EXPECT_LT(x.request().client.priority, 0);
    EXPECT_EQ(x.request().client.name, "ann");
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    timer.expires_after(std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6)));
    co_await timer.async_wait(boost::asio::use_awaitable);
    if (x.gone()) throw Gone();
    if (number == 3) throw Problem(say("'{}' is not built", "3"), "number");
    if (number == 5 && asked.count(5) == 1) throw Problem(say("'{}' is not built", "5")).status(429);
    const Json answer = {{"twice", 2 * number}};
    co_await x.reply(200, "application/json", answer.dump());
  }
};

auto handler(Chat& chat) {
  return [&chat](Services& services, Exchange& x) { return chat(services, x); };
}

TEST(Files, AreUploadedListedReadAndDeleted) {
  TemporaryFolder folder;
  Chat chat;
  House house(folder / "store.db", handler(chat));
  const std::string id = house.upload("a\nb\r\n");
  EXPECT_EQ(house.status, 200);
  EXPECT_EQ(house.ask("GET", "/v1/files/" + id)["bytes"], 5);
  house.ask("GET", "/v1/files/" + id + "/content");
  EXPECT_EQ(house.raw, "a\nb\r\n");
  const std::string second = house.upload("");
  Json list = house.ask("GET", "/v1/files?limit=1");
  EXPECT_EQ(list["data"][0]["id"], second);
  EXPECT_EQ(list["has_more"], true);
  list = house.ask("GET", "/v1/files?after=" + second);
  EXPECT_EQ(list["first_id"], id);
  EXPECT_EQ(list["has_more"], false);
  EXPECT_EQ(house.ask("GET", "/v1/files?purpose=vision")["data"].size(), 0u);
  house.ask("GET", "/v1/files?limit=0");
  EXPECT_EQ(house.status, 400);

  for (const char* what : {"", "/content"}) {
    house.ask("GET", "/v1/files/" + id + what, "", "bob");
    EXPECT_EQ(house.status, 404);
  }
  house.ask("DELETE", "/v1/files/" + id, "", "bob");
  EXPECT_EQ(house.status, 404);
  EXPECT_EQ(house.ask("DELETE", "/v1/files/" + id)["deleted"], true);
  house.ask("GET", "/v1/files/" + id);
  EXPECT_EQ(house.status, 404);
  EXPECT_EQ(house.ask("POST", "/v1/files", form(part("name=file; filename=a", "x")))["error"]["param"], "purpose");
  house.ask("POST", "/v1/files", form(part("name=purpose", "batch") + part("name=file; filename=\"a\xff\"", "x")));
  EXPECT_EQ(house.status, 400);
}

TEST(Files, NeedAStore) {
  Chat chat;
  House house("", handler(chat));
  house.ask("POST", "/v1/files", form(part("name=purpose", "batch") + part("name=file; filename=a", "x")));
  EXPECT_EQ(house.status, 400);
  EXPECT_NE(house.raw.find("--store"), std::string::npos);
}

TEST(Batches, RunToTheirEnd) {
  TemporaryFolder folder;
  Chat chat;
  House house(folder / "store.db", handler(chat));
  Json batch = house.batch_of(house.upload(jobs(8)));
  ASSERT_EQ(house.status, 200) << house.raw;
  EXPECT_EQ(batch["status"], "validating");
  batch = house.wait(batch["id"], "completed");
  EXPECT_EQ(batch["request_counts"], (Json{{"total", 8}, {"completed", 7}, {"failed", 1}}));
  const auto done = house.lines(batch["output_file_id"]), failed = house.lines(batch["error_file_id"]);
  ASSERT_EQ(done.size(), 7u);
  EXPECT_EQ(done[4]["custom_id"], "line-5");  // in the file's order, though it came later
  EXPECT_EQ(done[4]["response"]["body"]["twice"], 10);
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["custom_id"], "line-3");
  EXPECT_EQ(failed[0]["response"]["status_code"], 400);
  EXPECT_EQ(failed[0]["response"]["body"]["error"]["param"], "number");
  EXPECT_EQ(chat.asked.count(5), 2u);
  EXPECT_EQ(house.ask("GET", "/v1/batches")["data"].size(), 1u);
  EXPECT_EQ(house.ask("GET", "/v1/batches", "", "bob")["data"].size(), 0u);
  house.ask("POST", "/v1/batches/" + batch["id"].get<std::string>() + "/cancel");
  EXPECT_EQ(house.status, 409);
}

TEST(Batches, BrokenFilesFailBeforeAnythingRuns) {
  TemporaryFolder folder;
  Chat chat;
  House house(folder / "store.db", handler(chat));
  Json batch = house.batch_of(house.upload(jobs(2) + "{\n"));
  batch = house.wait(batch["id"], "failed");
  EXPECT_EQ(batch["errors"]["data"][0]["line"], 3);
  EXPECT_TRUE(chat.asked.empty());
  house.batch_of("file-nobody");
  EXPECT_EQ(house.status, 404);
}

TEST(Batches, AreCancelledWithWhatTheyHave) {
  TemporaryFolder folder;
  Chat chat;
  chat.seconds = 0.01;
  House house(folder / "store.db", handler(chat));
  const std::string id = house.batch_of(house.upload(jobs(400)))["id"];
  house.run_until([&] { return chat.asked.size() > 20; });
  EXPECT_EQ(house.ask("POST", "/v1/batches/" + id + "/cancel")["status"], "cancelling");
  const Json batch = house.wait(id, "cancelled");
  const size_t done = batch["request_counts"]["completed"];
  EXPECT_GT(done, 10u);
  EXPECT_LT(done, 100u);
  EXPECT_EQ(house.lines(batch["output_file_id"]).size(), done);
}

TEST(Batches, TwoServersOnOneStoreShareTheWorkAndDoNothingTwice) {
  TemporaryFolder folder;
  Chat chat;
  chat.seconds = 0.002;
  House one(folder / "store.db", handler(chat), "one/1/a");
  const std::string first = one.batch_of(one.upload(jobs(40)))["id"];
  one.run_until([&] { return chat.asked.size() > 4; });
  House two(folder / "store.db", handler(chat), "two/1/b");
  two.runner.start();
  for (int i = 0; i < 20; ++i) {
    two.io.restart();
    two.io.run_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(two.ask("POST", "/v1/batches/" + first + "/cancel")["status"], "cancelling");  // told to the wrong one
  one.wait(first, "cancelling");
  const size_t asked = chat.asked.size();
  EXPECT_LE(asked, 40u);
  const Json batch = one.wait(first, "completed");  // it looks every twenty seconds: by then this one is done
  EXPECT_EQ(batch["request_counts"]["total"], 40);
  for (int n = 0; n < 40; ++n) EXPECT_EQ(chat.asked.count(n), n == 5 ? 2u : 1u) << n;
}

TEST(Batches, KeepWithinTheKeysTokens) {
  TemporaryFolder folder;
  Chat chat;
  double now = 0;
  House house(folder / "store.db", handler(chat));
  house.limits = Limits([&now] { return now; });
  house.limits.set("ann", 0, 600);
  house.limits.spend_tokens("ann", 500);
  const std::string id = house.batch_of(house.upload(jobs(3)))["id"];
  for (int i = 0; i < 30; ++i) {
    house.io.restart();
    house.io.run_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(chat.asked.empty()) << "less than half of a minute's tokens is left";
  now = 21;  // ten tokens a second: 310
  house.wait(id, "completed");
  EXPECT_EQ(chat.asked.size(), 3u);
}

TEST(Batches, AServerThatIsGoneIsKnown) {
  const std::string self = server_name(), host = self.substr(0, self.find('/'));
  EXPECT_TRUE(is_gone(host + "/" + std::to_string(getpid()) + "/other", self));  // the process that had our number
  EXPECT_FALSE(is_gone(host + "/1/x", self));
  EXPECT_FALSE(is_gone("elsewhere/1/x", self));
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(is_gone(host + "/" + std::to_string(child) + "/x", self));
  EXPECT_FALSE(is_gone("nonsense", self));
  EXPECT_FALSE(is_gone("", self));
}

TEST(Batches, GoOnAfterTheServerStops) {
  TemporaryFolder folder;
  Chat chat;
  chat.seconds = 0.002;
  std::string id;
  for (int life = 0; life < 4; ++life) {  // each house is pulled down in the middle of its work
    House house(folder / "store.db", handler(chat));
    house.runner.start();
    if (life == 0) id = house.batch_of(house.upload(jobs(60)))["id"];
    const size_t before = chat.asked.size();
    house.run_until([&] { return chat.asked.size() >= before + 10; });
    EXPECT_NE(house.ask("GET", "/v1/batches/" + id)["status"], "completed");
  }
  House house(folder / "store.db", handler(chat));
  house.runner.start();
  const Json batch = house.wait(id, "completed");
  EXPECT_EQ(batch["request_counts"], (Json{{"total", 60}, {"completed", 59}, {"failed", 1}}));
  const auto done = house.lines(batch["output_file_id"]);
  ASSERT_EQ(done.size(), 59u);
  for (size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i]["custom_id"], "line-" + std::to_string(i < 3 ? i : i + 1));
  // Only what was under way when a house came down was asked twice: four lines a life.
  EXPECT_LE(chat.asked.size(), 60u + 1 + 4 * 4);
}

/// In a child: works the batch until it is killed; what was asked goes through the pipe.
[[noreturn]] void work_until_killed(const std::string& where, int out) {
  auto chat = [out](Services&, Exchange& x) -> Task<void> {
    const int number = Json::parse(x.request().body)["number"];
    if (write(out, &number, sizeof number) != sizeof number) _exit(1);
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, std::chrono::microseconds(500));
    co_await timer.async_wait(boost::asio::use_awaitable);
    const Json answer = {{"twice", 2 * number}};
    co_await x.reply(200, "application/json", answer.dump());
  };
  House house(where, chat);
  house.runner.start();
  for (;;) {
    house.io.restart();
    house.io.run_for(std::chrono::milliseconds(50));
  }
}

TEST(Batches, GoOnAfterEveryKill) {
  TemporaryFolder folder;
  const std::string where = folder / "store.db";
  constexpr int lines = 200;
  {
    auto store = open_store(where);
    store->put("ann", StoredFile{"file-in", "jobs.jsonl", "batch", 0, 1, {}}, jobs(lines));
    Json facts = {{"status", "validating"}, {"endpoint", "/v1/chat/completions"}, {"input_file_id", "file-in"}};
    facts["expires_at"] = int64_t{1} << 40;
    store->put(StoredBatch{"batch_1", "ann", 1, true, facts});
  }
  Random random(test::seed());
  int lives = 0, asked = 0, number = 0;
  std::set<int64_t> acknowledged;
  for (; lives < 300; ++lives) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      work_until_killed(where, ends[1]);
    }
    close(ends[1]);
    pollfd first{ends[0], POLLIN, 0};
    poll(&first, 1, 1000);  // at work; or there is no line left, and the batch is being finished
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20'000)));
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
      ++asked;
      EXPECT_FALSE(acknowledged.contains(number)) << "line " << number << " was done already";
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);
    auto store = open_store(where);
    for (int64_t line : store->lines_done("batch_1")) acknowledged.insert(line);
    if (!store->batch("ann", "batch_1")->unfinished) break;
  }
  auto store = open_store(where);
  const auto batch = store->batch("ann", "batch_1");
  ASSERT_FALSE(batch->unfinished);
  EXPECT_EQ(batch->facts["status"], "completed");
  EXPECT_EQ(store->counts("batch_1").completed, lines);
  const std::string bytes = *store->bytes("ann", batch->facts["output_file_id"]);
  EXPECT_EQ(std::ranges::count(bytes, '\n'), lines);
  std::cout << lives + 1 << " lives, " << asked - lines << " lines of " << lines << " asked again\n";
}

}  // namespace
}  // namespace madang
