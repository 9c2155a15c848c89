// Damaged and hostile tokenizer files: a typed error or a tokenizer that works, never a crash, a hang or a huge array.
#include "base/error.h"
#include "support.h"
#include "text/splitter.h"
#include "tokenizer_samples.h"

namespace madang::test {
namespace {

// True if the bytes gave a tokenizer.
bool survives(const std::string& file) {
  std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  try {
    auto tokenizer = Tokenizer::from_bytes(bytes, "bad", {gpt2_expression, {}});
    auto ids = tokenizer->encode("the 안녕 <|end|> aaaa", true);
    tokenizer->decode(ids);
    return true;
  } catch (const Error& fault) {
    EXPECT_NE(fault.kind(), Kind::internal);
    EXPECT_FALSE(fault.render(Language::korean).empty());
    return false;
  }
}

TEST(BadTokenizer, TruncatedAnywhere) {
  std::mt19937_64 random(seed());
  for (const std::string& whole : {json_sample(), model_sample(), tiktoken_sample()}) {
    ASSERT_TRUE(survives(whole));
    for (int i = 0; i < 150; ++i) survives(whole.substr(0, random() % whole.size()));
  }
  EXPECT_FALSE(survives(""));
}

TEST(BadTokenizer, BitsFlipped) {
  std::mt19937_64 random(seed());
  for (const std::string& whole : {json_sample(), model_sample(), tiktoken_sample()})
    for (int i = 0; i < 300; ++i) {
      std::string damaged = whole;
      for (uint64_t n = 1 + random() % 4; n-- > 0;)
        damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      survives(damaged);
    }
}

TEST(BadTokenizer, HostileJson) {
  auto with = [](const std::string& model) { return "{\"model\": " + model + "}"; };
  for (const std::string& model : {
           std::string("null"),
           std::string("[]"),
           std::string("{}"),
           std::string(R"({"type": "BPE", "vocab": {"a": -1}, "merges": []})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 2147483647}, "merges": []})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 9223372036854775808}, "merges": []})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 0.5}, "merges": []})"),
           std::string(R"({"type": "BPE", "vocab": {"a": "b"}, "merges": []})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]})"),
           std::string(R"({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b", "c"]]})"),
           std::string(R"({"type": "Unigram", "vocab": [["a"]]})"),
           std::string(R"({"type": "Unigram", "vocab": [["a", 0.0]], "unk_id": 7})"),
           std::string(R"({"type": "Unigram", "vocab": {"a": 0}})"),
           std::string(R"({"type": "Dream", "vocab": {"a": 0}})"),
       })
    EXPECT_FALSE(survives(with(model))) << model;
  EXPECT_FALSE(survives(std::string(100000, '[')));
  EXPECT_FALSE(survives("{\"model\":" + std::string(100000, '{')));
  std::string base = R"("model": {"type": "BPE", "vocab": {"a": 0}, "merges": []})";
  EXPECT_TRUE(survives("{" + base + "}"));
  for (const char* more : {R"("pre_tokenizer": {"type": "Nonsense"})", R"("pre_tokenizer": {"type": "Split"})",
                           R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated"})",
                           R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////////w=="})",
                           R"("normalizer": {"type": "Sequence", "normalizers": 3})", R"("decoder": {"type": "CTC"})",
                           R"("added_tokens": [{"id": -5, "content": "x"}])",
                           R"("added_tokens": [{"id": 1e9, "content": "x"}])", R"("added_tokens": [7])"})
    EXPECT_FALSE(survives("{" + base + ", " + more + "}")) << more;
}

TEST(BadTokenizer, HostileModels) {
  EXPECT_FALSE(
      survives(std::string("\n\xFF\n\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 13)));   // a varint without end
  EXPECT_FALSE(survives(std::string("\n\x05\n\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 12)));  // a length of 2^63
  EXPECT_FALSE(
      survives(std::string("\x07\0\0\0\0\0\0\0\xFF\xFF\xFF\x7F"
                           "abc",
                           15)));              // llama2.c: a size beyond the end
  EXPECT_FALSE(survives("IQ== 0\nIQ== 0\n"));  // a rank twice
  EXPECT_FALSE(survives("IQ== 2000000000\n"));
  EXPECT_FALSE(survives("IQ== 99999999999999999999\n"));
  EXPECT_FALSE(survives("1 'a' 5\n"));  // RWKV: a length that is not the token's
  EXPECT_FALSE(survives("1 'a 1\n"));
  EXPECT_FALSE(survives("hello\n"));
}

TEST(BadTokenizer, HostileVocabularies) {
  auto refused = [](Vocabulary v) { EXPECT_THROW(Tokenizer::from_vocabulary(std::move(v)), Error); };
  refused({});
  for (auto make : {byte_level_vocabulary, piece_vocabulary}) {
    Vocabulary v = make();
    v.tokens.clear();
    refused(v);
    v = make();
    v.types.pop_back();
    refused(v);
    v = make();
    v.scores.assign(1, 0);
    refused(v);
    v = make();
    v.bos = 1 << 30;
    refused(v);
    v = make();
    v.unk = -7;
    refused(v);
    v = make();
    v.model = "unheard-of";
    refused(v);
  }
  Vocabulary v = byte_level_vocabulary();
  v.pre = "unheard-of";
  refused(v);
  v = byte_level_vocabulary();
  v.merges.push_back("nothing-to-split");
  refused(v);
  v = piece_vocabulary();
  v.scores[5] = std::numeric_limits<float>::quiet_NaN();
  refused(v);
  v = piece_vocabulary();
  v.tokens[300 % v.tokens.size()] = "\xFF\xFE";  // broken UTF-8 is repaired
  EXPECT_NO_THROW(Tokenizer::from_vocabulary(v));
}

TEST(BadTokenizer, AFolderWithoutOne) {
  TemporaryFolder folder;
  EXPECT_THROW(Tokenizer::open(folder.path.string()), Error);
  EXPECT_THROW(Tokenizer::open(folder / "nothing.json"), Error);
}

}  // namespace
}  // namespace madang::test
