// Sentences in two languages: holes are filled by order and by number, and none lacks its Korean.
#include "base/language.h"

#include "support.h"

namespace madang::test {
namespace {

TEST(Language, HolesAreFilledInOrder) {
  EXPECT_EQ(say("a {} b {}", 1, "x").in(Language::english), "a 1 b x");
  EXPECT_EQ(say("{{}} {}", 7).in(Language::english), "{} 7");
}

TEST(Language, AHoleWithoutAFactStays) {
  EXPECT_EQ(say("a {} {}", 1).in(Language::english), "a 1 {}");
  EXPECT_EQ(say("{1} {0} {9} {x}", "a", "b").in(Language::english), "b a {9} {x}");
  EXPECT_EQ(say("open { brace", 1).in(Language::english), "open { brace");
}

TEST(Language, TheLocaleChooses) {
  EXPECT_EQ(language_of_locale("ko_KR.UTF-8"), Language::korean);
  EXPECT_EQ(language_of_locale("ko"), Language::korean);
  for (const char* other : {"", "C", "en_US.UTF-8", "de_DE"}) EXPECT_EQ(language_of_locale(other), Language::english);
}

TEST(Language, SentencesAreTranslatedAndUnknownOnesStay) {
  EXPECT_EQ(say("where: {}", "여기").in(Language::korean), "위치: 여기");
  EXPECT_EQ(translated("no such sentence", Language::korean), "no such sentence");
}

// The tables reach the program whole: what a sentence holds of quotes, semicolons and brackets survives the build.
TEST(Language, TheTableIsTheOneInLang) {
  int sentences = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(MADANG_SOURCE_DIR) + "/lang/ko")) {
    std::istringstream lines(read_text(file.path().string()));
    for (std::string line; std::getline(lines, line);) {
      size_t tab = line.find('\t');
      if (line.starts_with("#") || tab == std::string::npos || line.find('\\') != std::string::npos) continue;
      EXPECT_NE(translated(line.substr(0, tab), Language::korean), line.substr(0, tab)) << file.path() << ": " << line;
      ++sentences;
    }
  }
  EXPECT_GT(sentences, 50);
}

TEST(Language, EverySentenceHasItsKorean) {
  EXPECT_EQ(std::system((std::string(MADANG_SOURCE_DIR) + "/tools/check_korean").c_str()), 0);
}

}  // namespace
}  // namespace madang::test
