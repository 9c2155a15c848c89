// Every block format decodes to the reference's float32 values, bit for bit: tests/data/blocks holds one block of
// each row (quantized ones, and random bytes with large, tiny, zero and negative scales), the folder beside the
// checkout, when there, the whole rows.
#include <cstring>
#include <filesystem>
#include <vector>

#include "quant/format.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

void check_file(const std::string& path) {
  const std::string name = std::filesystem::path(path).stem().string();
  const Format* format = format_by_name(name);
  ASSERT_NE(format, nullptr) << name;
  auto source = open_safetensors(path);
  const StoredTensor *packed = source->find("packed"), *values = source->find("values");
  const int64_t rows = values->shape[0], cols = values->shape[1];
  ASSERT_EQ(format->row_bytes(cols), packed->shape[1]) << name;
  std::vector<float> decoded(static_cast<size_t>(cols)), wanted(decoded.size());
  for (int64_t r = 0; r < rows; ++r) {
    format->decode(packed->bytes.data() + r * packed->shape[1], cols, decoded.data());
    std::memcpy(wanted.data(), values->bytes.data() + r * cols * 4, static_cast<size_t>(cols) * 4);
    for (size_t i = 0; i < decoded.size(); ++i)
      ASSERT_EQ(decoded[i], wanted[i]) << name << " row " << r << " column " << i;
  }
}

void check_folder(const std::string& folder, size_t least) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") check_file(entry.path().string()), ++files;
  EXPECT_GE(files, least);
}

TEST(Blocks, DecodeToTheReferenceValues) { check_folder(test::data_folder() + "/blocks", 27); }

TEST(Blocks, DecodeWholeRowsToTheReferenceValues) {
  const std::string shared = test::shared_folder();
  if (!shared.empty()) check_folder(shared + "/golden/blocks", 27);
}

TEST(Blocks, RowsAgreeWithThemselves) {
  for (const Format& f : formats()) {
    EXPECT_EQ(format_by_name(f.name), &f);
    EXPECT_EQ(format_by_gguf_type(f.gguf_type), &f);
    EXPECT_EQ(f.codes == nullptr, f.group == 0) << f.name;
    EXPECT_EQ(f.group ? f.block % f.group : 0, 0) << f.name;
  }
  EXPECT_EQ(format_by_name("q4_k"), format_by_name("Q4_K"));
  EXPECT_EQ(format_by_name("Q4_Z"), nullptr);
  EXPECT_EQ(format_by_gguf_type(-1), nullptr);
}

}  // namespace
}  // namespace madang
