// Tokenizers said in the other kind of file: the same ids, both ways.
#include "text/rewrite.h"

#include "base/error.h"
#include "base/random.h"
#include "support.h"
#include "tokenizer_samples.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Tokenizer> from_json(const Json& file) {
  const std::string text = file.dump();
  return Tokenizer::from_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "written");
}

Vocabulary small_vocabulary(const std::string& pre) {
  Vocabulary v = test::byte_level_vocabulary();
  v.pre = pre;
  return v;
}

TEST(Rewrite, ByteLevelVocabulariesComeBackFromTheirJson) {
  for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "starcoder", "deepseek-v3", "tekken", "gpt-4o", "bloom"}) {
    const Vocabulary v = small_vocabulary(pre);
    const test::TemporaryFolder folder;
    std::ofstream(folder / "tokenizer.json") << tokenizer_json_of(v).dump();
    std::ofstream(folder / "tokenizer_config.json")
        << tokenizer_config_of(*Tokenizer::from_vocabulary(v), "{{ messages }}").dump();
    const Vocabulary back = vocabulary_of_folder(folder.path.string(), static_cast<int64_t>(v.tokens.size()));
    EXPECT_EQ(back.tokens, v.tokens) << pre;
    EXPECT_EQ(back.merges, v.merges) << pre;
    EXPECT_EQ(back.types, v.types) << pre;
    EXPECT_EQ(back.eos, v.eos) << pre;
    EXPECT_NO_THROW(same_tokenizer(*Tokenizer::from_vocabulary(v), *Tokenizer::from_vocabulary(back))) << pre;
  }
}

TEST(Rewrite, RowsWithoutANameAreFilled) {
  const Vocabulary v = small_vocabulary("gpt-2");
  const test::TemporaryFolder folder;
  std::ofstream(folder / "tokenizer.json") << tokenizer_json_of(v).dump();
  const Vocabulary back = vocabulary_of_folder(folder.path.string(), 400);
  EXPECT_EQ(back.tokens.size(), 400u);
  EXPECT_EQ(back.types.back(), static_cast<int32_t>(TokenType::unused));
}

TEST(Rewrite, DifferentTokenizersAreTold) {
  EXPECT_THROW(same_tokenizer(*Tokenizer::from_vocabulary(small_vocabulary("gpt-2")),
                              *Tokenizer::from_vocabulary(small_vocabulary("qwen2"))),
               Error);
}

// Real vocabularies: each folder as GGUF keeps it, and that as tokenizer.json again.
TEST(Rewrite, RealVocabularies) {
  if (test::shared_folder().empty()) GTEST_SKIP() << "needs the outside tokenizers";
  int done = 0;
  for (const auto& entry : fs::recursive_directory_iterator(test::shared_folder() + "/real/tokenizers")) {
    if (entry.path().filename() != "tokenizer.json" && entry.path().filename() != "tokenizer.model") continue;
    const std::string folder = entry.path().parent_path().string();
    if (!folder.ends_with("falcon") && !folder.ends_with("phi-3") && !folder.ends_with("t5")) continue;  // one a kind
    try {
      const auto was = Tokenizer::open(folder);
      const Vocabulary v = vocabulary_of_folder(folder, was->size());
      const auto is = Tokenizer::from_vocabulary(v);
      const auto back = from_json(tokenizer_json_of(v));
      Random random(test::seed());
      for (int i = 0; i < 50; ++i) {
        std::string text;
        for (int n = 0; n < 12; ++n)
          text += was->token_bytes(static_cast<int32_t>(random.below(static_cast<uint64_t>(was->size()))));
        ASSERT_EQ(is->encode(text, false), was->encode(text, false)) << folder << "\n" << text;
        ASSERT_EQ(back->encode(text, false), was->encode(text, false)) << folder << "\n" << text;
      }
      ++done;
      std::cout << folder << ": " << v.model << " " << v.pre << "\n";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Kind::unsupported) << folder << "\n" << e.what();
      std::cout << folder << ": refused: " << e.what() << "\n";
    }
  }
  EXPECT_GT(done, 0);
}

}  // namespace
}  // namespace madang
