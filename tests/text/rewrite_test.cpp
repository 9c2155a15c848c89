// Tokenizers said in the other kind of file: the same ids, both ways.
#include "text/rewrite.h"

#include <set>

#include "base/error.h"
#include "base/random.h"
#include "support.h"
#include "text/pre_table.h"
#include "tokenizer_samples.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const Tokenizer> from_text(const std::string& text) {
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

// Fields without which Hugging Face tokenizers refuses a file.
TEST(Rewrite, EveryStepSaysAllThatIsAskedOfIt) {
  for (const std::string& pre : pre_names()) {
    const Json steps = tokenizer_json_of(small_vocabulary(pre))["pre_tokenizer"]["pretokenizers"];
    ASSERT_FALSE(steps.empty()) << pre;
    for (const Json& step : steps) {
      if (step["type"] == "Split") EXPECT_TRUE(step.contains("invert") && step.contains("behavior")) << pre;
      if (step["type"] == "ByteLevel") EXPECT_TRUE(step.contains("trim_offsets")) << pre;
    }
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

/// A file of RWKV World's kind: all bytes, quotes, backslashes and random pieces; ids have a hole.
std::string world_file(Random& random) {
  std::vector<std::string> tokens = {"'",    "\"", "'\"",      "\\",       "\\x41", "it's",
                                     "\r\n", "안", "\xEC\x95", "[PAD290]", "\\'"};
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  for (int i = 0; i < 20; ++i) {
    std::string piece;
    for (int n = 0; n < 4; ++n) piece += static_cast<char>(random.below(256));
    tokens.push_back(piece);
  }
  std::set<std::string> known;
  std::string file;
  int id = 1;
  for (const std::string& token : tokens) {
    if (!known.insert(token).second) continue;
    file += fmt::format("{} b'", id);
    for (const char c : token) file += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    file += fmt::format("' {}\n", token.size());
    id += id == 7 ? 2 : 1;
  }
  return file;
}

TEST(Rewrite, WorldVocabulariesComeBack) {
  Random random(test::seed());
  const test::TemporaryFolder folder, second;
  std::ofstream(folder / "rwkv_vocab_v20230424.txt", std::ios::binary) << world_file(random);
  const auto was = Tokenizer::open(folder.path.string());
  const Vocabulary v = vocabulary_of_folder(folder.path.string(), 320);
  EXPECT_EQ(v.model, "rwkv");
  EXPECT_EQ(v.tokens.size(), 320u);
  EXPECT_EQ(v.types[0], static_cast<int32_t>(TokenType::control));
  EXPECT_EQ(v.tokens[3], "\\'\"");  // as Python writes bytes, without the quotes: llama.cpp reads it so
  std::ofstream(second / "rwkv_vocab_v20230424.txt", std::ios::binary) << world_file_of(v);
  const auto is = Tokenizer::from_vocabulary(v), back = Tokenizer::open(second.path.string());
  EXPECT_EQ(is->eos(), was->eos());
  EXPECT_EQ(is->ends(), was->ends());
  for (int32_t id = 0; id < was->size(); ++id) {
    EXPECT_EQ(is->token_bytes(id), was->token_bytes(id)) << id;
    EXPECT_EQ(back->token_bytes(id), was->token_bytes(id)) << id;
  }
  for (int i = 0; i < 200; ++i) {
    std::string text = i == 0 ? "[PAD300][PAD290]<|endoftext|>[PAD8]" : "";
    for (int n = 0; n < 12; ++n)
      text += was->token_bytes(static_cast<int32_t>(random.below(static_cast<uint64_t>(was->size()))));
    ASSERT_EQ(is->encode(text, true), was->encode(text, true)) << text;
    ASSERT_EQ(back->encode(text, true), was->encode(text, true)) << text;
  }
}

// Real vocabularies: each folder as GGUF keeps it, and that as tokenizer.json again.
TEST(Rewrite, RealVocabularies) {
  if (test::shared_folder().empty()) GTEST_SKIP() << "needs the outside tokenizers";
  int done = 0;
  for (const auto& entry : fs::recursive_directory_iterator(test::shared_folder() + "/real/tokenizers")) {
    const std::string file = entry.path().filename().string();
    const bool world = file.starts_with("rwkv_vocab");
    if (file != "tokenizer.json" && file != "tokenizer.model" && !world) continue;
    const std::string folder = entry.path().parent_path().string();
    if (!folder.ends_with("falcon") && !folder.ends_with("phi-3") && !folder.ends_with("t5") && !world)
      continue;  // one a kind
    try {
      const auto was = Tokenizer::open(folder);
      const Vocabulary v = vocabulary_of_folder(folder, was->size());
      const auto is = Tokenizer::from_vocabulary(v);
      const auto back = from_text(world ? world_file_of(v) : tokenizer_json_of(v).dump());
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
