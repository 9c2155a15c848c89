// What must hold of every tokenizer: texts come back, streams equal decoding and never cut a character, long words
// merge as short ones do, special tokens obey.
#include "base/error.h"
#include "support.h"
#include "text/added_tokens.h"
#include "text/bpe_merge.h"
#include "text/splitter.h"
#include "text/text_stream.h"
#include "tokenizer_samples.h"

namespace madang::test {
namespace {

std::span<const uint8_t> bytes(const std::string& s) { return {reinterpret_cast<const uint8_t*>(s.data()), s.size()}; }

std::vector<std::shared_ptr<const Tokenizer>> samples() {
  return {Tokenizer::from_vocabulary(byte_level_vocabulary()), Tokenizer::from_vocabulary(piece_vocabulary()),
          Tokenizer::from_bytes(bytes(json_sample()), "json"), Tokenizer::from_bytes(bytes(model_sample()), "model"),
          Tokenizer::from_bytes(bytes(tiktoken_sample()), "tiktoken", {gpt2_expression, {{"<|end|>", 259}}})};
}

std::string streamed(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<int32_t>& ids) {
  TextStream stream(tokenizer);
  std::string text;
  for (int32_t id : ids) {
    std::string part = stream.push(id);
    EXPECT_TRUE(is_valid_utf8(part));
    text += part;
  }
  return text + stream.finish();
}

TEST(Tokenizer, TextsComeBack) {
  std::mt19937_64 random(seed());
  auto all = samples();
  for (size_t which : {0u, 1u, 4u}) {  // the others normalize
    for (int i = 0; i < 1000; ++i) {
      std::string text = random_text(random, static_cast<int>(random() % 20));
      if (which == 1) text = text.substr(0, text.find("▁"));  // sentencepiece's blank
      auto ids = all[which]->encode(text, false);
      ASSERT_EQ(all[which]->decode(ids), text) << all[which]->kind();
      ASSERT_EQ(ids, all[which]->encode(text, false)) << "the second time differs";
    }
  }
}

TEST(Tokenizer, BrokenTextBecomesReplacementCharacters) {
  for (const auto& tokenizer : samples())
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xFF\xE1\x84z", false)), "a\uFFFD\uFFFDz") << tokenizer->kind();
}

TEST(Tokenizer, NulIsACharacter) {
  std::string text("a\0b", 3);
  for (const auto& tokenizer : samples()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, false)), text);
}

TEST(Tokenizer, SpecialTokensAreTextUnlessAskedFor) {
  for (const auto& tokenizer : samples()) {
    std::string name = tokenizer->id_of("<|end|>") ? "<|end|>" : "</s>";
    int32_t id = *tokenizer->id_of(name);
    EXPECT_TRUE(tokenizer->is_special(id));
    auto plain = tokenizer->encode("x" + name, false), parsed = tokenizer->encode("x" + name, true);
    EXPECT_EQ(std::count(plain.begin(), plain.end(), id), 0);
    EXPECT_EQ(parsed.back(), id);
    EXPECT_EQ(tokenizer->decode(parsed), tokenizer->decode(plain));
  }
}

TEST(Tokenizer, AddedTokensThatAreNotSpecialAlwaysAreTokens) {
  auto all = samples();
  for (size_t which : {0u, 2u}) {
    auto ids = all[which]->encode("a<added>b", false);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), *all[which]->id_of("<added>")), 1);
  }
  auto ids = all[1]->encode("a<user>b", false);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), *all[1]->id_of("<user>")), 1);
}

TEST(Tokenizer, DummyPrefixIsTakenAway) {
  auto pieces = samples()[1];
  EXPECT_EQ(pieces->token_text(pieces->encode("the", false)[0]), "▁the");
  EXPECT_EQ(pieces->decode(pieces->encode("the", false)), "the");
  EXPECT_EQ(pieces->decode(pieces->encode(" the", false)), " the");
}

TEST(Tokenizer, IdsOutOfRangeAreErrors) {
  for (const auto& tokenizer : samples())
    for (int32_t id : {-1, tokenizer->size(), INT32_MAX, INT32_MIN}) {
      EXPECT_THROW(tokenizer->decode(std::vector<int32_t>{id}), Error);
      EXPECT_EQ(TextStream(tokenizer).push(id), "");
      EXPECT_EQ(tokenizer->token_text(id), "");
      EXPECT_FALSE(tokenizer->is_special(id));
    }
}

TEST(TextStream, EqualsDecodingAndNeverCuts) {
  std::mt19937_64 random(seed());
  for (const auto& tokenizer : samples())
    for (int i = 0; i < 500; ++i) {
      std::vector<int32_t> ids;  // any ids at all: mostly broken text
      for (uint64_t n = random() % 12; n-- > 0;)
        ids.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(tokenizer->size())));
      ASSERT_EQ(streamed(tokenizer, ids), tokenizer->decode(ids));
      ids = tokenizer->encode(random_text(random, 8), true);
      ASSERT_EQ(streamed(tokenizer, ids), tokenizer->decode(ids));
    }
}

// Bytes of a text, in tokens of one to three bytes cut at every place: each character comes whole, with its last byte.
TEST(TextStream, HangulIsNeverCut) {
  Vocabulary v = byte_level_vocabulary();
  auto tokenizer = Tokenizer::from_vocabulary(v);
  std::string text = "가힣 한글🇰🇷é";
  TextStream stream(tokenizer);
  std::string seen;
  for (size_t i = 0; i < text.size(); ++i) {
    seen += stream.push(*tokenizer->id_of(to_utf8(letter_of_byte(static_cast<uint8_t>(text[i])))));
    size_t whole = i + 1 - unfinished_utf8(std::string_view(text).substr(0, i + 1));
    EXPECT_EQ(seen, text.substr(0, whole));
  }
  EXPECT_EQ(stream.finish(), "");
  EXPECT_EQ(seen, text);
}

// The heap and the scan are two ways to one answer.
TEST(Bpe, LongWordsMergeAsShortOnes) {
  std::mt19937_64 random(seed());
  for (int i = 0; i < 3000; ++i) {
    std::vector<WordScratch::Symbol> symbols;
    for (uint32_t n = 1 + random() % short_word, at = 0; at < n; ++at)
      symbols.push_back({at, at + 1, static_cast<int32_t>(random() % 4)});
    uint64_t salt = random();
    auto join = [&](const auto& l, const auto& r) {
      uint64_t mixed = hash_bytes(fmt::format("{} {} {}", l.id, r.id, salt));
      return mixed % 3 ? Joined{static_cast<uint32_t>(mixed % 7), static_cast<int32_t>(mixed % 5)} : Joined{};
    };
    auto by_scan = symbols, by_heap = symbols;
    merge_short(by_scan, join);
    merge_long(by_heap, join);
    auto shown = [](const auto& all) {
      std::string out;
      for (const auto& s : all) out += fmt::format("{}-{}:{} ", s.begin, s.end, s.id);
      return out;
    };
    ASSERT_EQ(shown(by_scan), shown(by_heap));
  }
}

TEST(Bpe, ALongWordTakesNoSquareOfTime) {
  auto tokenizer = samples()[0];
  std::string text(1 << 20, 'a');
  EXPECT_EQ(tokenizer->encode(text, false).size(), text.size() / 4);
}

// Phi-3-small's repository has cl100k's ranks and says in tokenizer_config.json alone whose special tokens go with
// them.
TEST(Tiktoken, OneVocabularyWithTheSpecialTokensOfTwo) {
  std::vector<std::string> joined;  // 100,000 of three bytes
  for (uint32_t n = 0; n < 100000; ++n)
    joined.push_back({n >> 16 ? 'y' : 'x', static_cast<char>(n >> 8 & 255), static_cast<char>(n & 255)});
  TemporaryFolder folder;
  std::ofstream(folder / "cl100k_base.tiktoken") << tiktoken_sample(joined);
  const auto plain = Tokenizer::open(folder.path.string());
  EXPECT_EQ(plain->id_of("<|endoftext|>"), 100257);
  EXPECT_FALSE(plain->id_of("<|user|>"));
  EXPECT_EQ(plain->size(), 100277);
  std::ofstream(folder / "tokenizer_config.json") << R"({"tokenizer_class": "Phi3SmallTokenizer"})";
  const auto phi = Tokenizer::open(folder.path.string());
  EXPECT_EQ(phi->encode("<|user|>a<|end|><|assistant|>", true), (std::vector<int32_t>{100262, 'a', 100266, 100263}));
  EXPECT_EQ(phi->id_of("<|dummy_id_2|>"), 100256);
  EXPECT_EQ(phi->id_of("<|dummy_id_11|>"), 100275);
  EXPECT_EQ(phi->id_of("<|endofprompt|>"), 100276);
  EXPECT_EQ(phi->id_of("<|dummy_id_86|>"), 100351);
  EXPECT_EQ(phi->size(), 100352);
  EXPECT_EQ(phi->eos(), 100257);
  EXPECT_NE(std::ranges::find(phi->ends(), 100266), phi->ends().end());
}

TEST(AddedTokens, BlanksAndWordsBesideThem) {
  AddedTokens added;
  added.add({.id = 1, .content = "<mask>", .lstrip = true});
  added.add({.id = 2, .content = "<r>", .rstrip = true});
  added.add({.id = 3, .content = "<w>", .single_word = true});
  added.add({.id = 4, .content = "<r><r>"});
  auto cut = [&](std::string_view text, bool special = true) {
    std::vector<TextPart> parts;
    added.cut(text, special, parts);
    std::string out;
    for (const TextPart& part : parts)
      out += part.id < 0 ? "[" + std::string(part.text) + "]" : std::to_string(part.id);
    return out;
  };
  EXPECT_EQ(cut("a  <mask> b"), "[a]1[ b]");
  EXPECT_EQ(cut("<r>  a"), "2[a]");
  EXPECT_EQ(cut("a<w> <w>"), "[a<w> ]3");
  EXPECT_EQ(cut("<r><r> x"), "4[ x]");
  EXPECT_EQ(cut("a<mask>", false), "[a<mask>]");
}

TEST(Unicode, BrokenBytesAreReplacedByMaximalParts) {
  EXPECT_EQ(repair_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFDA");                        // Unicode 15, table 3-11
  EXPECT_EQ(repair_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(unfinished_utf8("a\xED\x95"), 2u);
  EXPECT_EQ(unfinished_utf8("a\xFF"), 0u);
  EXPECT_EQ(unfinished_utf8("한"), 0u);
}

}  // namespace
}  // namespace madang::test
