// A repository of a hub, played by a local server.
#include "base/json.h"
#include "fixtures.h"
#include "local_server.h"

namespace madang::test {
namespace {

// A hub with one repository, "owner/tiny".
struct Hub {
  std::map<std::string, std::string> files;
  std::string revision_answer = R"({"sha": "c0ffee", "cardData": {"license": "apache-2.0"}})";
  std::string extra_row;  // JSON put before the others
  std::function<void(const WebRequest&, WebAnswer&)> tamper = [](const WebRequest&, WebAnswer&) {};
  size_t page = 100;  // files in a page of the listing

  Json row(const std::string& path) const {
    const std::string& bytes = files.at(path);
    Json row{{"type", "file"}, {"path", path}, {"size", bytes.size()}, {"oid", digest_of(bytes, Digest::git_blob)}};
    if (path.ends_with(".safetensors") || path.ends_with(".gguf"))
      row["lfs"] = Json{{"oid", digest_of(bytes)}, {"size", bytes.size()}, {"pointerSize", 130}};
    return row;
  }
  WebAnswer listing(const WebRequest& request) const {
    size_t mark = request.target.find("cursor=");
    size_t from = mark == std::string::npos ? 0 : std::stoul(request.target.substr(mark + 7)), at = 0;
    Json rows = Json::array();
    if (!extra_row.empty()) rows.push_back(Json::parse(extra_row));
    for (const auto& file : files)
      if (at++ >= from && at <= from + page) rows.push_back(row(file.first));
    WebAnswer answer{200, {}, rows.dump()};
    if (from + page < files.size())
      answer.fields.push_back("Link: <http://" + request.field("host") +
                              "/api/models/owner/tiny/tree/c0ffee?recursive=1&cursor=" + std::to_string(from + page) +
                              ">; rel=\"next\"");
    return answer;
  }
  WebAnswer operator()(const WebRequest& request) const {
    const std::string api = "/api/models/owner/tiny/", resolve = "/owner/tiny/resolve/c0ffee/", cdn = "/cdn/";
    WebAnswer answer{404, {}, "nothing here"};
    if (request.target == api + "revision/main" && !revision_answer.empty()) answer = {200, {}, revision_answer};
    if (request.target.starts_with(api + "tree/c0ffee?recursive=1")) answer = listing(request);
    if (request.target.starts_with(resolve) && files.count(request.target.substr(resolve.size())))
      answer = {302, {"Location: " + cdn + request.target.substr(resolve.size())}, "elsewhere"};
    if (request.target.starts_with(cdn))
      answer = serve_file(request, files.at(request.target.substr(cdn.size())), "\"1\"");
    tamper(request, answer);
    return answer;
  }
};

struct HubTest : testing::Test {
  TemporaryFolder folder;
  StoreSettings settings = quick_settings(folder);
  Hub hub;
  HubTest() {
    hub.files = {{"config.json", R"({"model_type": "llama"})"},
                 {"model-00001-of-00002.safetensors", random_bytes(70000, seed())},
                 {"model-00002-of-00002.safetensors", random_bytes(50000, seed() + 1)},
                 {"model.safetensors.index.json", "{}"},
                 {"consolidated.safetensors", random_bytes(60000, seed() + 2)},
                 {"pytorch_model.bin", "pickle"},
                 {"tokenizer.json", "{}"},
                 {"onnx/model.onnx", "no"}};
  }
  InstalledModel pull(LocalServer& server, const std::string& spec) {
    settings.hub = server.url();
    return ModelStore(settings).pull(spec);
  }
  std::vector<std::string> installed(const InstalledModel& model) {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(model.path)) names.push_back(item.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(HubTest, TakesSafetensorsAndWhatDescribesThem) {
  LocalServer server(std::ref(hub));
  InstalledModel model = pull(server, "owner/tiny");
  EXPECT_EQ(model.name, "owner/tiny");
  EXPECT_EQ(model.licence, "apache-2.0");
  EXPECT_EQ(
      installed(model),
      (std::vector<std::string>{"config.json", "madang.json", "model-00001-of-00002.safetensors",
                                "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"}));
  for (const char* name : {"config.json", "model-00002-of-00002.safetensors"})
    EXPECT_EQ(read_text((model.path / name).string()), hub.files[name]);
  EXPECT_TRUE(ModelStore(settings).find("hf:owner/tiny"));
  EXPECT_EQ(resolve_model(ModelStore(settings), "owner/tiny"), model.path.string());
}

TEST_F(HubTest, ListsPageByPage) {
  hub.page = 3;
  LocalServer server(std::ref(hub));
  EXPECT_EQ(installed(pull(server, "hf:owner/tiny")).size(), 6u);
}

TEST_F(HubTest, WorksWithServersThatKnowNoCommits) {
  hub.revision_answer = "";
  LocalServer server(std::ref(hub));
  EXPECT_EQ(pull(server, "owner/tiny@c0ffee").name, "owner/tiny@c0ffee");
}

TEST_F(HubTest, TakesANamedGguf) {
  hub.files = {{"tiny-q4.gguf", random_bytes(1000, seed())}, {"tiny-q8.gguf", random_bytes(2000, seed() + 1)}};
  LocalServer server(std::ref(hub));
  Error fault = expect_error(Kind::usage, [&] { pull(server, "owner/tiny"); });
  EXPECT_TRUE(mentions(fault, "tiny-q4.gguf, tiny-q8.gguf")) << fault.what();
  InstalledModel model = pull(server, "owner/tiny:tiny-q8.gguf");
  EXPECT_EQ(read_text(model.path.string()), hub.files["tiny-q8.gguf"]);
  expect_error(Kind::missing, [&] { pull(server, "owner/tiny:tiny-q2.gguf"); });
}

TEST_F(HubTest, TakesAllPartsOfASplitGguf) {
  hub.files = {{"q/t-00001-of-00002.gguf", random_bytes(1000, seed())},
               {"q/t-00002-of-00002.gguf", random_bytes(900, seed() + 1)}};
  LocalServer server(std::ref(hub));
  InstalledModel model = pull(server, "owner/tiny");
  EXPECT_EQ(model.path.filename(), "t-00001-of-00002.gguf");
  EXPECT_TRUE(std::filesystem::exists(model.path.parent_path() / "t-00002-of-00002.gguf"));
}

TEST_F(HubTest, ChecksEveryHash) {
  for (std::string name : {"config.json", "model-00002-of-00002.safetensors"}) {
    hub.tamper = [&](const WebRequest& r, WebAnswer& answer) {
      if (r.target == "/cdn/" + name) answer.body[3] ^= 1;
    };
    LocalServer server(std::ref(hub));
    Error fault = expect_error(Kind::mismatch, [&] { pull(server, "owner/tiny"); });
    EXPECT_TRUE(mentions(fault, name)) << fault.what();
    EXPECT_TRUE(ModelStore(settings).list().empty());
  }
  hub.tamper = [](const WebRequest&, WebAnswer&) {};
  LocalServer server(std::ref(hub));
  pull(server, "owner/tiny");
  for (const auto& request : server.requests()) EXPECT_NE(request.target, "/cdn/model-00001-of-00002.safetensors");
}

TEST_F(HubTest, RefusesHostileListings) {
  const std::string hash(64, 'a');
  for (std::string path : {"../evil.safetensors", "/etc/evil.json", "a/../../evil.gguf", "a//b.gguf", "a\\b.gguf",
                           "evil\n.json", "", ".", "a/./b"}) {
    hub.extra_row = Json{{"type", "file"}, {"path", path}, {"size", 1}, {"lfs", {{"oid", hash}, {"size", 1}}}}.dump();
    LocalServer server(std::ref(hub));
    expect_error(Kind::format, [&] { pull(server, "owner/tiny"); });
  }
  for (std::string row : {R"({"type":"file","path":"x.gguf","size":-1,"oid":"aa"})", R"({"type":"file","path":7})",
                          R"({"type":"file","path":"x.gguf","size":1,"lfs":{"oid":"../x"}})"}) {
    hub.extra_row = row;
    LocalServer server(std::ref(hub));
    expect_error(Kind::format, [&] { pull(server, "owner/tiny"); });
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path / "evil.safetensors"));
}

TEST_F(HubTest, RefusesAnswersThatAreNotListings) {
  for (std::string body : {"<html>", "{}", "[[[", "\"text\""}) {
    hub.tamper = [&](const WebRequest& r, WebAnswer& answer) {
      if (r.target.find("/tree/") != std::string::npos) answer.body = body;
    };
    LocalServer server(std::ref(hub));
    expect_error(Kind::format, [&] { pull(server, "owner/tiny"); });
  }
}

TEST_F(HubTest, AListingThatLeadsElsewhereIsNotFollowed) {
  hub.tamper = [&](const WebRequest& r, WebAnswer& answer) {
    if (r.target.find("/tree/") != std::string::npos)
      answer.fields = {"Link: <http://example.invalid/api>; rel=\"next\""};
  };
  LocalServer server(std::ref(hub));
  expect_error(Kind::format, [&] { pull(server, "owner/tiny"); });
}

TEST_F(HubTest, ALargerFileThanListedIsNotTaken) {
  hub.tamper = [&](const WebRequest& r, WebAnswer& answer) {
    if (r.target == "/cdn/config.json") answer.body += "more";
  };
  LocalServer server(std::ref(hub));
  expect_error(Kind::mismatch, [&] { pull(server, "owner/tiny"); });
}

TEST_F(HubTest, TheTokenStaysAtHome) {
  std::vector<WebRequest> elsewhere;
  LocalServer other([&](const WebRequest& r) { return serve_file(r, hub.files.at(r.target.substr(5)), "\"1\""); });
  hub.tamper = [&](const WebRequest& r, WebAnswer& answer) {
    if (answer.status != 302) return;
    std::string away = other.url();
    away.replace(away.find("127.0.0.1"), 9, "localhost");  // another host in the eyes of HTTP
    answer.fields = {"Location: " + away + "/cdn/" + r.target.substr(r.target.rfind('/') + 1)};
  };
  LocalServer server(std::ref(hub));
  settings.hub_token = "secret";
  pull(server, "owner/tiny");
  EXPECT_EQ(server.requests()[0].field("authorization"), "Bearer secret");
  ASSERT_FALSE(other.requests().empty());
  for (const auto& request : other.requests()) EXPECT_EQ(request.field("authorization"), "");
}

TEST_F(HubTest, UnknownRepositoriesAndNames) {
  LocalServer server(std::ref(hub));
  expect_error(Kind::missing, [&] { pull(server, "owner/other"); });
  for (const char* spec : {"hf:owner", "hf:/x", "hf:a/b/c", "hf:../x", "hf:a/..", "hf:a/b@../c", "hf:a/b:../c", "hf:"})
    expect_error(Kind::usage, [&] { pull(server, spec); });
}

}  // namespace
}  // namespace madang::test
