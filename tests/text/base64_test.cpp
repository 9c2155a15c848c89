// Base64 of vocabularies: the vectors of RFC 4648, section 10, with and without padding; all else refused with its place.
#include "text/base64.h"

#include "support.h"

namespace madang {
namespace {

TEST(Base64, TheStandardsOwnVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
                                                         {"Zm9vYg", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}};
  for (const auto& [text, bytes] : vectors) EXPECT_EQ(decode_base64(text, "test"), bytes) << text;
}

TEST(Base64, StrangersAreRefusedNotSkipped) {
  for (const char* bad : {"Zm 9v", "Zm9v\n", "Zm-v", "=Zg"}) {
    try {
      decode_base64(bad, "line 3");
      ADD_FAILURE() << "accepted " << bad;
    } catch (const Error& fault) {
      EXPECT_EQ(fault.kind(), Kind::format);
      EXPECT_EQ(fault.place(), "line 3");
    }
  }
}

}  // namespace
}  // namespace madang
