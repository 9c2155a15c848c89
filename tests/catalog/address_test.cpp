// One file from a web address: the ways a connection goes wrong, and that none of them leaves a wrong file.
#include <sys/resource.h>
#include <csignal>

#include "fixtures.h"
#include "local_server.h"

namespace madang::test {
namespace {

struct AddressTest : testing::Test {
  TemporaryFolder folder;
  StoreSettings settings = quick_settings(folder);
  std::string bytes = random_bytes(300000, seed()), hash = digest_of(bytes);
  std::string part() const { return (settings.folder / ".pulls/m/files/m.gguf.part").string(); }

  InstalledModel pull(const std::string& url, const PullOptions& options = {}) {
    return ModelStore(settings).pull(url, options);
  }
};

TEST_F(AddressTest, FetchesAndRemembers) {
  LocalServer server([&](const WebRequest& r) { return serve_file(r, bytes, "\"1\""); });
  std::string url = server.url() + "/a/m.gguf#sha256=" + hash;
  int64_t last = 0;
  PullOptions options;
  options.progress = [&](const Progress& p) { return last = p.done, true; };
  InstalledModel model = pull(url, options);
  EXPECT_EQ(model.name, "m");
  EXPECT_EQ(model.bytes, 300000);
  EXPECT_EQ(read_text(model.path.string()), bytes);
  EXPECT_EQ(last, 300000);
  pull(url);
  EXPECT_EQ(server.requests().size(), 1u) << "a model that is here is not fetched again";
  EXPECT_FALSE(std::filesystem::exists(settings.folder / ".pulls/m"));
}

TEST_F(AddressTest, FollowsRedirectsButNotForEver) {
  LocalServer server([&](const WebRequest& r) -> WebAnswer {
    if (r.target.starts_with("/loop")) return {302, {"Location: " + r.target}, "elsewhere"};
    if (r.target == "/m.gguf") return {302, {"Location: /real"}, "elsewhere"};
    return serve_file(r, bytes, "\"1\"");
  });
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), bytes);
  expect_error(Kind::network, [&] { pull(server.url() + "/loop/n.gguf"); });
  EXPECT_LT(server.requests().size(), 15u);
}

TEST_F(AddressTest, RefusesARedirectToAnotherProtocol) {
  LocalServer server([&](const WebRequest&) -> WebAnswer { return {302, {"Location: file:///etc/hostname"}, ""}; });
  expect_error(Kind::network, [&] { pull(server.url() + "/m.gguf"); });
}

TEST_F(AddressTest, ContinuesALostConnectionWithinOnePull) {
  LocalServer server([&](const WebRequest& r) {
    WebAnswer answer = serve_file(r, bytes, "\"1\"");
    answer.cut = 120000;
    return answer;
  });
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), bytes);
  auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].range(), 120000u);
  EXPECT_EQ(requests[1].field("if-range"), "\"1\"");
  EXPECT_EQ(requests[2].range(), 240000u);
}

TEST_F(AddressTest, ContinuesInTheNextPull) {
  std::atomic<bool> good = false;
  LocalServer server([&](const WebRequest& r) {
    WebAnswer answer = serve_file(r, bytes, "\"1\"");
    if (!good) answer.cut = r.range() ? 0 : 100000;
    return answer;
  });
  Error fault = expect_error(Kind::network, [&] { pull(server.url() + "/m.gguf"); });
  EXPECT_TRUE(mentions(fault, "100000 bytes")) << fault.what();
  EXPECT_EQ(read_text(part()), bytes.substr(0, 100000));
  EXPECT_TRUE(ModelStore(settings).list().empty());
  good = true;
  size_t before = server.requests().size();
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), bytes);
  ASSERT_EQ(server.requests().size(), before + 1);
  EXPECT_EQ(server.requests().back().range(), 100000u);
}

TEST_F(AddressTest, BeginsAnewWhenTheFileChanged) {
  std::string newer = random_bytes(250000, seed() + 1);
  std::atomic<bool> changed = false;
  LocalServer server([&](const WebRequest& r) {
    WebAnswer answer = changed ? serve_file(r, newer, "\"2\"") : serve_file(r, bytes, "\"1\"");
    if (!changed) answer.cut = r.range() ? 0 : 100000;
    return answer;
  });
  expect_error(Kind::network, [&] { pull(server.url() + "/m.gguf"); });
  changed = true;
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), newer);
}

TEST_F(AddressTest, BeginsAnewWhenTheServerIgnoresRanges) {
  std::atomic<int> calls = 0;
  LocalServer server([&](const WebRequest&) -> WebAnswer {
    return {200, {"ETag: \"1\""}, bytes, calls++ == 0 ? 100000 : std::string::npos};
  });
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), bytes);
  EXPECT_EQ(server.requests()[1].range(), 100000u);
}

TEST_F(AddressTest, RefusesAnotherRangeThanTheOneAskedFor) {
  LocalServer server([&](const WebRequest& r) {
    WebAnswer answer = serve_file(r, bytes, "\"1\"");
    if (r.range()) answer.fields.back() = "Content-Range: bytes 5-299999/300000";
    answer.cut = 100000;
    return answer;
  });
  expect_error(Kind::network, [&] { pull(server.url() + "/m.gguf"); });
}

TEST_F(AddressTest, AWrongHashRemovesTheFileAndTellsBoth) {
  LocalServer server([&](const WebRequest& r) { return serve_file(r, bytes, "\"1\""); });
  std::string other(64, 'a');
  Error fault = expect_error(Kind::mismatch, [&] { pull(server.url() + "/m.gguf#sha256=" + other); });
  EXPECT_TRUE(mentions(fault, other) && mentions(fault, hash)) << fault.what();
  EXPECT_FALSE(std::filesystem::exists(part()));
  EXPECT_FALSE(std::filesystem::exists(settings.folder / ".pulls/m/files/m.gguf"));
  EXPECT_TRUE(ModelStore(settings).list().empty());
}

TEST_F(AddressTest, GivesUpOnAStalledServer) {
  LocalServer server([&](const WebRequest&) -> WebAnswer { return {200, {"ETag: \"1\""}, bytes, 1000, "", true}; });
  settings.retries = 0;
  settings.stall_seconds = 1;
  auto begin = std::chrono::steady_clock::now();
  expect_error(Kind::network, [&] { pull(server.url() + "/m.gguf"); });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
}

TEST_F(AddressTest, SaysWhatTheStatusMeans) {
  std::atomic<int> status = 404;
  LocalServer server([&](const WebRequest&) -> WebAnswer { return {status, {}, "a page about the fault"}; });
  std::string url = server.url() + "/m.gguf";
  EXPECT_TRUE(mentions(expect_error(Kind::missing, [&] { pull(url); }), url));
  EXPECT_EQ(server.requests().size(), 1u) << "what is not there is not asked for twice";
  status = 403;
  expect_error(Kind::refused, [&] { pull(url); });
  status = 503;
  expect_error(Kind::network, [&] { pull(url); });
  EXPECT_EQ(server.requests().size(), 5u) << "a busy server is asked again";
}

TEST_F(AddressTest, StopsWhenToldAndContinuesLater) {
  LocalServer server([&](const WebRequest& r) { return serve_file(r, bytes, "\"1\""); });
  PullOptions options;
  options.progress = [](const Progress&) { return false; };
  expect_error(Kind::refused, [&] { pull(server.url() + "/m.gguf", options); });
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), bytes);
}

// A file size limit of the process stands for the disk: both make write() fail in the middle of a transfer.
TEST_F(AddressTest, AFullDiskIsToldAndMended) {
  LocalServer server([&](const WebRequest& r) { return serve_file(r, bytes, "\"1\""); });
  auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  rlimit tight{150000, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  Error fault = expect_error(Kind::limit, [&] { pull(server.url() + "/m.gguf"); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  EXPECT_TRUE(mentions(fault, "m.gguf.part")) << fault.what();
  EXPECT_EQ(read_text(pull(server.url() + "/m.gguf").path.string()), bytes);
  EXPECT_GT(server.requests().back().range(), 0u) << "what had room was kept";
}

TEST_F(AddressTest, RefusesAFileLargerThanTheDisk) {
  LocalServer server([&](const WebRequest&) -> WebAnswer {
    WebAnswer answer{200, {}, "GGUF"};
    answer.length = "9000000000000000000";
    return answer;
  });
  expect_error(Kind::limit, [&] { pull(server.url() + "/m.gguf"); });
  EXPECT_TRUE(ModelStore(settings).list().empty());
}

TEST_F(AddressTest, TwoPullsAtOnceFetchOnce) {
  LocalServer server([&](const WebRequest& r) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return serve_file(r, bytes, "\"1\"");
  });
  std::string url = server.url() + "/m.gguf";
  std::thread other([&] { EXPECT_EQ(read_text(pull(url).path.string()), bytes); });
  EXPECT_EQ(read_text(pull(url).path.string()), bytes);
  other.join();
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(AddressTest, AServerThatIsNotThere) {
  std::string url;
  {
    LocalServer gone([](const WebRequest&) { return WebAnswer(); });
    url = gone.url();
  }
  expect_error(Kind::network, [&] { pull(url + "/m.gguf"); });
}

TEST_F(AddressTest, NamesThatAreNoModelFiles) {
  for (const char* spec : {"http://host/", "http://host/readme.md", "http://host/..", "http://host/.gguf/",
                           "http://host/m.gguf#sha256=12", "http://host/a\\b.gguf"})
    expect_error(Kind::usage, [&] { pull(spec); });
}

TEST_F(AddressTest, AnotherModelUnderTheSameNameIsNotTaken) {
  LocalServer server([&](const WebRequest& r) { return serve_file(r, bytes, "\"1\""); });
  pull(server.url() + "/a/m.gguf");
  expect_error(Kind::mismatch, [&] { pull(server.url() + "/b/m.gguf"); });
  PullOptions options;
  options.name = "other";
  EXPECT_EQ(pull(server.url() + "/b/m.gguf", options).name, "other");
  EXPECT_EQ(pull("other").name, "other") << "what is here is here, by any name it has";
}

}  // namespace
}  // namespace madang::test
