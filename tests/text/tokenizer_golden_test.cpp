// Every line of the outside answers (../shared/golden/tokenizers): ids and decoded text, from the reference tokenizers.
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "gguf_vocabulary.h"
#include "support.h"
#include "text/text_stream.h"
#include "text/tokenizer.h"

namespace madang {
namespace {

std::shared_ptr<const Tokenizer> open_named(const Json& head) {
  std::string path = test::shared_folder() + "/" + head["tokenizer"].get<std::string>();
  if (!std::filesystem::exists(path)) return nullptr;
  if (head["kind"] == "gguf") return Tokenizer::from_vocabulary(test::GgufVocabularyReader(path).read());
  TiktokenExtras extras;
  if (head.contains("pattern")) extras.pattern = head["pattern"];
  if (head.contains("special") && head["special"].is_object())
    for (const auto& [name, id] : head["special"].items()) extras.special.emplace_back(name, id.get<int32_t>());
  return Tokenizer::open(path, extras);
}

std::string streamed(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<int32_t>& ids) {
  TextStream stream(tokenizer);
  std::string text;
  for (int32_t id : ids) text += stream.push(id);
  return text + stream.finish();
}

class GoldenTokenizer : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTokenizer, EveryLine) {
  std::ifstream file(GetParam());
  std::string line;
  std::getline(file, line);
  Json head = Json::parse(line);
  auto tokenizer = open_named(head);
  if (!tokenizer) GTEST_SKIP() << "not kept here: " << head["tokenizer"];
  bool either = GetParam().find("phi-3") != std::string::npos;
  int lines = 0;
  while (std::getline(file, line)) {
    Json want = Json::parse(line);
    std::string text = want["text"];
    auto ids = want["ids"].get<std::vector<int32_t>>();
    bool special = want.value("special", false);
    auto got = tokenizer->encode(text, special);
    bool other = either && want.contains("alt") && got == want["alt"].get<std::vector<int32_t>>();
    if (!other) {
      EXPECT_EQ(Json(got).dump(), Json(ids).dump()) << (special ? "special: " : "plain: ") << text.substr(0, 300);
    }
    std::string decoded = want["decoded"];
    EXPECT_EQ(tokenizer->decode(ids), decoded);
    EXPECT_EQ(streamed(tokenizer, ids), decoded);
    ++lines;
  }
  EXPECT_GT(lines, 20);
}

std::vector<std::string> golden_files() {
  std::set<std::string> files;
  std::error_code fault;
  if (std::string shared = test::shared_folder(); !shared.empty())
    for (const auto& entry : std::filesystem::directory_iterator(shared + "/golden/tokenizers", fault))
      if (entry.path().extension() == ".jsonl" && entry.path().stem() != "texts") files.insert(entry.path().string());
  return {files.begin(), files.end()};
}

std::string name_of(const testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Shared, GoldenTokenizer, testing::ValuesIn(golden_files()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenTokenizer);

}  // namespace
}  // namespace madang
