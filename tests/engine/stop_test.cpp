// Stop texts: against their definition, over random texts and all ways to cut them.
#include "engine/stop.h"

#include "base/error.h"
#include "base/random.h"
#include "support.h"

namespace madang {
namespace {

// The definition, slowly: cut before the stop text that is complete first, the longest of those that end there.
std::string cut(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& s : stops)
      if (std::string_view(text).substr(0, end).ends_with(s)) longest = std::max(longest, s.size());
    if (longest) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopFilter, EveryCutOfTheTextShowsTheSame) {
  Random random(test::seed());
  auto word = [&](int64_t most) {
    std::string s;
    for (int64_t n = random.between(1, most); n > 0; --n) s += static_cast<char>('a' + random.below(2));
    return s;
  };
  int found = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const std::string text = word(9);
    std::vector<std::string> stops;
    for (int64_t n = random.between(1, 3); n > 0; --n) stops.push_back(word(5));
    const std::string want = cut(text, stops);
    for (uint32_t cuts = 0; cuts < 1u << (text.size() - 1); ++cuts) {
      StopFilter filter(stops);
      std::string shown, piece;
      for (size_t i = 0; i < text.size(); ++i) {
        piece += text[i];
        if (i + 1 < text.size() && !(cuts >> i & 1)) continue;
        shown += filter.push(std::exchange(piece, {}));
        ASSERT_TRUE(want.starts_with(shown)) << text << ": leaked " << shown;
      }
      shown += filter.finish();
      ASSERT_EQ(shown, want) << text;
      ASSERT_EQ(filter.found(), want.size() < text.size());
      found += filter.found();
    }
  }
  EXPECT_GT(found, 0);
}

TEST(StopFilter, HoldsBackNoMoreThanItMust) {
  StopFilter filter({"\n\nUser:"});
  EXPECT_EQ(filter.push("안녕\n"), "안녕");
  EXPECT_EQ(filter.push("\nU"), "");
  EXPECT_EQ(filter.push("n"), "\n\nUn");
  EXPECT_EQ(filter.push("\n\nUser: x"), "");
  EXPECT_TRUE(filter.found());
  EXPECT_FALSE(filter.text().empty());
  EXPECT_EQ(filter.push("more") + filter.finish(), "");
}

TEST(StopFilter, RefusesEmptyOnes) {
  EXPECT_THROW(StopFilter({""}), Error);
  EXPECT_THROW(StopFilter({std::string(2000, 'x')}), Error);
  EXPECT_THROW(StopFilter(std::vector<std::string>(65, "x")), Error);
}

}  // namespace
}  // namespace madang
