// madang quantize, convert and merge that do not come to their end: Ctrl-C, a full disk, something in the way. What was
// there stays as it was, nothing is left beside it, and the exit code and the sentence say which it was.
#include <csignal>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "full_disk.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

const std::string base = test::data_folder() + "/models/mixtral",
                  adapter = test::data_folder() + "/train/lora/mixtral/final";

struct Told {
  int code;
  std::string words;
};

Told call(std::vector<std::string> words, Language language = Language::english) {
  std::istringstream in;
  std::ostringstream out, err;
  Surroundings around;
  around.models_folder = "/nonexistent", around.language = language;
  around.in = &in, around.out = &out, around.err = &err;
  words.emplace_back(language == Language::korean ? "--lang=ko" : "--lang=en");
  const int code = run_words(words, around);
  return {code, err.str()};
}

struct Case {
  const char* name;
  std::vector<std::string> words;  // without the way to the result
  const char* result;
};

class Unfinished : public testing::TestWithParam<Case> {
 protected:
  std::vector<std::string> words(const std::string& out) const {
    std::vector<std::string> all = GetParam().words;
    all.insert(all.begin() + 2, out);
    all.emplace_back("--force");
    return all;
  }
  // All files below, by name, with their bytes.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path))
      all[entry.path().string()] = entry.is_regular_file() ? test::read_text(entry.path().string()) : "";
    return all;
  }

  test::TemporaryFolder folder_;
  std::string out_ = folder_ / GetParam().result;
};

TEST_P(Unfinished, StoppedWithCtrlC) {
  ASSERT_EQ(call(words(out_)).code, 0);
  const auto before = files();
  sigset_t keys, old;
  sigemptyset(&keys), sigaddset(&keys, SIGINT);
  pthread_sigmask(SIG_BLOCK, &keys, &old);
  raise(SIGINT);  // waits until the command looks
  const Told told = call(words(out_));
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  EXPECT_EQ(told.code, 130);
  EXPECT_NE(told.words.find(out_), std::string::npos) << told.words;
  EXPECT_EQ(files(), before);
}

TEST_P(Unfinished, FullDisk) {
  ASSERT_EQ(call(words(out_)).code, 0);
  const auto before = files();
  const test::FullDisk full(10000);
  const Told english = call(words(out_)), korean = call(words(out_), Language::korean);
  EXPECT_EQ(english.code, static_cast<int>(Kind::limit));
  EXPECT_NE(english.words.find(out_), std::string::npos) << english.words;
  EXPECT_NE(korean.words.find("디스크"), std::string::npos) << korean.words;
  EXPECT_EQ(files(), before);
}

TEST_P(Unfinished, SomethingInTheWay) {
  std::ofstream(folder_ / "file") << "mine";
  fs::create_directories(folder_ / "full.gguf/of.gguf");
  std::vector<std::string> ways = {folder_ / "file" + "/" + GetParam().result};
  if (out_.ends_with(".gguf")) ways.push_back(folder_ / "full.gguf");
  const auto before = files();
  for (const std::string& way : ways) {
    const Told told = call(words(way));
    EXPECT_EQ(told.code, static_cast<int>(Kind::io)) << way << told.words;
    EXPECT_NE(told.words.find(way), std::string::npos) << told.words;
    EXPECT_EQ(files(), before) << way;
  }
}

INSTANTIATE_TEST_SUITE_P(Commands, Unfinished,
                         testing::Values(Case{"quantize", {"quantize", base, "--type", "Q8_0"}, "q.gguf"},
                                         Case{"convert_to_gguf", {"convert", base}, "c.gguf"},
                                         Case{"convert_to_folder", {"convert", base}, "c"},
                                         Case{"merge", {"merge", base, "--lora", adapter}, "m"},
                                         Case{"merge_to_gguf", {"merge", base, "--lora", adapter}, "m.gguf"}),
                         [](const auto& given) { return std::string(given.param.name); });

// Shards and their index from before would be read in place of what was written.
TEST(Convert, OverARepositoryInShards) {
  const test::TemporaryFolder folder;
  const std::string to = folder / "model";
  fs::copy(test::data_folder() + "/models/qwen2", to);
  fs::rename(to + "/model.safetensors", to + "/model-00001-of-00001.safetensors");
  Json map = Json::object();
  for (const StoredTensor& t : open_safetensors(to + "/model-00001-of-00001.safetensors")->tensors())
    map[t.name] = "model-00001-of-00001.safetensors";
  std::ofstream(to + "/model.safetensors.index.json") << Json{{"weight_map", map}}.dump();
  ASSERT_EQ(call({"convert", base, to, "--force"}).code, 0);
  EXPECT_EQ(call({"verify", base, to}).code, 0);
  EXPECT_FALSE(fs::exists(to + "/model-00001-of-00001.safetensors"));
}

}  // namespace
}  // namespace madang
