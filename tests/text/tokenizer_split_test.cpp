// Every matcher written by hand cuts as its expression does in PCRE2, on random text; expressions that GGUF names cut
// as their models' do.
#include "base/error.h"
#include "support.h"
#include "text/pre_table.h"
#include "text/splitter.h"
#include "tokenizer_samples.h"

namespace madang::test {
namespace {

std::string cuts(const Splitter& splitter, const std::string& text) {
  Pattern::Scratch scratch;
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = splitter.next(text, at, scratch);
    out += text.substr(at, end - at) + "|";
    if (end <= at) return out + " stands still";
    at = end;
  }
  return out;
}

TEST(Splitter, ByHandAsByPcre2) {
  std::mt19937_64 random(seed());
  for (const std::string& expression : handmade_expressions()) {
    auto by_hand = make_splitter(expression, Dialect::rust, "test");
    auto by_pcre2 = make_pattern_splitter(expression, Dialect::rust, "test");
    for (int i = 0; i < 4000; ++i) {
      std::string text = random_text(random, 1 + static_cast<int>(random() % 12));
      ASSERT_EQ(cuts(*by_hand, text), cuts(*by_pcre2, text)) << expression;
    }
  }
}

TEST(Splitter, KnownCuts) {
  auto gpt2 = make_splitter(gpt2_expression, Dialect::oniguruma, "test");
  EXPECT_EQ(cuts(*gpt2, "I'm  here, 안녕\n\n x"), "I|'m| | here|,| 안녕|\n\n| x|");
  EXPECT_EQ(cuts(*gpt2, "a   "), "a|   |");
}

// Names of GGUF's "tokenizer.ggml.pre" whose expressions differ in little.
TEST(Splitter, NamedOnesCutAsTheirModelsDo) {
  auto cut = [](const char* pre, const std::string& text) {
    const Json first = pre_row(pre, "").pre_tokenizer()["pretokenizers"][0];
    return cuts(*make_splitter(first["pattern"]["Regex"], Dialect::oniguruma, pre), text);
  };
  EXPECT_EQ(cut("llama-bpe", "in 2026"), "in| |202|6|");
  EXPECT_EQ(cut("glm4", "in 2026"), "in| |202|6|");
  EXPECT_EQ(cut("seed-coder", "in 2026"), "in| |2|0|2|6|");
  EXPECT_EQ(cut("solar-open", "I'LL in 26"), "I|'LL| in| |2|6|");
  EXPECT_EQ(cut("ufakzeka", "Ali'nin 26"), "Ali|'nin| |2|6|");
  EXPECT_EQ(cut("exaone-moe", "마당은 새벽부터 열려 26"), "마당은 새벽부터 열려| |2|6|");
  EXPECT_EQ(cut("jais-2", "a" + std::string(7, ' ') + "b"), "a|    |  | b|");
  EXPECT_EQ(cut("tiny_aya", "1234567"), "1|234|567|");
}

TEST(Pattern, DollarIsTheEndOfALineOnlyForOniguruma) {
  Pattern::Scratch scratch;
  EXPECT_EQ(Pattern("x$", Dialect::oniguruma, "").find("x\ny", 0, scratch).end, 1u);
  EXPECT_FALSE(Pattern("x$", Dialect::rust, "").find("x\n", 0, scratch).found());
}

TEST(Pattern, WhiteSpaceIsUnicodes) {
  Pattern::Scratch scratch;
  EXPECT_FALSE(Pattern("\\s", Dialect::rust, "").find("\u180E", 0, scratch).found());
  EXPECT_TRUE(Pattern("[\\s]", Dialect::rust, "").find("\u0085", 0, scratch).found());
}

TEST(Pattern, EndlessBacktrackingIsAnError) {
  Pattern::Scratch scratch;
  EXPECT_THROW(Pattern("(a+)+(a+)+(a+)+$", Dialect::rust, "t").find(std::string(3000, 'a') + "b", 0, scratch), Error);
}

}  // namespace
}  // namespace madang::test
