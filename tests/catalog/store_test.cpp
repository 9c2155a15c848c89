// The folder of models, its names, and the catalogue itself.
#include "catalog/disk.h"
#include "fixtures.h"

namespace madang::test {
namespace {

TEST(Catalogue, EveryRowIsPinnedAndAddsUp) {
  ASSERT_FALSE(catalogue().empty());
  EXPECT_EQ(catalogue()[0].name, "smollm2-135m-instruct");
  for (const CatalogueEntry& row : catalogue()) {
    EXPECT_EQ(row.sha256.size(), 64u) << row.name;
    EXPECT_TRUE(is_safe_relative(row.file)) << row.name;
    EXPECT_FALSE(row.licence.name.empty()) << row.name;
    int64_t sum = 0;
    for (const PackageFile& part : row.parts) sum += part.bytes;
    EXPECT_EQ(sum, row.bytes) << row.name;
  }
}

TEST(Store, TheFolderFollowsTheEnvironment) {
  EXPECT_EQ(default_model_folder("/a", "/b", "/c"), "/a");
  EXPECT_EQ(default_model_folder("", "/b", "/c"), "/b/madang/models");
  EXPECT_EQ(default_model_folder("", "", "/c"), "/c/.cache/madang/models");
  expect_error(Kind::usage, [] { default_model_folder("", "", ""); });
}

// A store with one model written by hand.
struct StoreTest : testing::Test {
  TemporaryFolder folder;
  ModelStore store{quick_settings(folder)};
  std::filesystem::path place = store.folder() / "owner--tiny";
  StoreTest() {
    std::filesystem::create_directories(place);
    write_text((place / "m.gguf").string(), "GGUF");
    record(R"({"name": "owner/tiny", "source": "hf:owner/tiny", "open": "m.gguf", "bytes": 4, "licence": "MIT"})");
  }
  void record(const std::string& text) { write_text((place / "madang.json").string(), text); }
};

TEST_F(StoreTest, ListsFindsAndRemoves) {
  ASSERT_EQ(store.list().size(), 1u);
  EXPECT_EQ(store.list()[0].name, "owner/tiny");
  EXPECT_EQ(store.list()[0].bytes, 4);
  EXPECT_EQ(store.find("owner/tiny")->path, place / "m.gguf");
  EXPECT_FALSE(store.find("owner--tiny"));
  EXPECT_FALSE(store.find(""));
  EXPECT_FALSE(store.find("../models/owner--tiny"));
  store.remove("owner/tiny");
  EXPECT_TRUE(store.list().empty());
  EXPECT_FALSE(std::filesystem::exists(place));
  expect_error(Kind::missing, [&] { store.remove("owner/tiny"); });
}

TEST_F(StoreTest, ADamagedRecordIsNoModel) {
  for (const char* text :
       {"", "{", "[]", R"({"name": 3})", R"({"name": "owner/tiny", "open": "../../../etc/passwd"})",
        R"({"name": "owner/tiny", "open": "/etc/passwd"})", R"({"name": "owner/tiny", "open": "absent.gguf"})"}) {
    record(text);
    EXPECT_TRUE(store.list().empty()) << text;
    EXPECT_FALSE(store.find("owner/tiny")) << text;
  }
}

TEST_F(StoreTest, NamesBecomePaths) {
  EXPECT_EQ(resolve_model(store, "owner/tiny"), (place / "m.gguf").string());
  EXPECT_EQ(resolve_model(store, place.string()), place.string());
  Error absent = expect_error(Kind::missing, [&] { resolve_model(store, "gemma3-270m"); });
  EXPECT_TRUE(mentions(absent, "madang pull gemma3-270m")) << absent.what();
  Error typo = expect_error(Kind::missing, [&] { resolve_model(store, "smolm2-135m"); });
  EXPECT_TRUE(mentions(typo, "nearest name is smollm2-135m-instruct")) << typo.what();
  expect_error(Kind::missing, [&] { resolve_model(store, "/no/such/file.gguf"); });
  expect_error(Kind::missing, [&] { store.pull("smolm2"); });
}

TEST(Disk, SafeNames) {
  for (const char* good : {"a", "a/b.c", "a..b", "...", "한글/모델.gguf"}) EXPECT_TRUE(is_safe_relative(good)) << good;
  for (const char* bad : {"", "/", "/a", "a/", "..", "a/..", "./a", "a//b", "a\\b", "a\nb"})
    EXPECT_FALSE(is_safe_relative(bad)) << bad;
  EXPECT_FALSE(is_safe_relative(std::string("a\0b", 3)));
  EXPECT_FALSE(is_safe_relative(std::string(300, 'a')));
}

TEST(Disk, RoomIsAskedForFirst) {
  TemporaryFolder folder;
  EXPECT_NO_THROW(need_space(folder.path, 1));
  expect_error(Kind::limit, [&] { need_space(folder.path, int64_t{1} << 62); });
}

TEST(Digests, AreThoseOfTheStandards) {
  EXPECT_EQ(digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-2, B.1
  EXPECT_EQ(digest_of("", Digest::git_blob), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");  // git hash-object /dev/null
}

}  // namespace
}  // namespace madang::test
