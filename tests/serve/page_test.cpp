// The page inside the program: every file can be found, named and unpacked, and its policy leaves no door.
#include "serve/page.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <string>

namespace madang {
namespace {

TEST(Page, EveryFileIsFoundByItsPath) {
  ASSERT_FALSE(page_files().empty());
  EXPECT_TRUE(std::ranges::is_sorted(page_files(), {}, &PageFile::path));
  for (const PageFile& file : page_files()) EXPECT_EQ(find_page(file.path), &file) << file.path;
  ASSERT_NE(find_page("/"), nullptr);
  EXPECT_EQ(find_page("/")->type, "text/html; charset=utf-8");
}

TEST(Page, OtherPathsAreNotThere) {
  for (const char* path : {"", "//", "/index.html", "/page", "/page/", "/page/../page/app.js", "/zzz"}) {
    EXPECT_EQ(find_page(path), nullptr) << path;
  }
}

TEST(Page, FilesAreGzipWithoutATimeAndTagsAreTheirOwn) {
  std::set<std::string_view> tags;
  for (const PageFile& file : page_files()) {
    ASSERT_GT(file.bytes.size(), 18u) << file.path;
    EXPECT_EQ(file.bytes[0], 0x1f) << file.path;
    EXPECT_EQ(file.bytes[1], 0x8b) << file.path;
    // The same sources give the same program.
    for (int at = 4; at < 8; ++at) EXPECT_EQ(file.bytes[at], 0) << file.path;
    EXPECT_TRUE(file.etag.size() > 2 && file.etag.front() == '"' && file.etag.back() == '"') << file.etag;
    tags.insert(file.etag);
  }
  EXPECT_EQ(tags.size(), page_files().size());
}

std::string unpacked(std::span<const unsigned char> gzip) {
  std::string out(16 << 20, '\0');
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);  // 16: gzip
  stream.next_in = const_cast<unsigned char*>(gzip.data()), stream.avail_in = static_cast<unsigned>(gzip.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data()), stream.avail_out = static_cast<unsigned>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END) << (stream.msg ? stream.msg : "");
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// The tag is the beginning of the SHA-256 of what the bundler wrote, so it tells whether all of it arrived.
TEST(Page, FilesUnpackToWhatWasBundled) {
  for (const PageFile& file : page_files()) {
    const std::string text = unpacked(file.bytes);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    std::string hex = "\"";
    for (int i = 0; i < 10; ++i)
      for (int shift : {4, 0}) hex += "0123456789abcdef"[digest[i] >> shift & 15];
    EXPECT_EQ(file.etag, hex + '"') << file.path;
  }
}

TEST(Page, ThePolicyAllowsNothingInline) {
  EXPECT_TRUE(page_policy.starts_with("default-src 'none';"));
  for (const char* door : {"unsafe", "http:", "https:", "*", "blob:"}) {
    EXPECT_EQ(page_policy.find(door), std::string_view::npos) << door;
  }
}

}  // namespace
}  // namespace madang
