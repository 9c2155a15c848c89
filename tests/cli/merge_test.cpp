// madang merge, and --lora where models answer: merged or not, the same logits.
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "cli/commands.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

int call(std::vector<std::string> words) {
  std::istringstream in;
  std::ostringstream out, err;
  Surroundings around;
  around.models_folder = "/nonexistent";
  around.in = &in, around.out = &out, around.err = &err;
  const int code = run_words(words, around);
  if (code != 0) std::cout << err.str();
  return code;
}

const std::string base = test::data_folder() + "/models/mixtral",
                  adapter = test::data_folder() + "/train/lora/mixtral/final";

std::vector<float> values(const std::string& path, const char* name) {
  const auto source = open_safetensors(path);
  const StoredTensor* t = source->find(name);
  std::vector<float> out(static_cast<size_t>(t->numel()));
  t->format->decode(t->bytes.data(), t->numel(), out.data());
  return out;
}

std::vector<float> logits(const test::TemporaryFolder& folder, std::vector<std::string> words) {
  words.insert(words.begin(), "logits");
  for (const char* more : {"--ids", "5,9,2,14,77,31,8", "--out"}) words.emplace_back(more);
  words.push_back(folder / "logits.safetensors");
  EXPECT_EQ(call(words), 0);
  return values(folder / "logits.safetensors", "logits");
}

double apart(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0, off = 0;
  for (size_t i = 0; i < a.size(); ++i)
    largest = std::max<double>(largest, std::fabs(a[i])), off = std::max<double>(off, std::fabs(a[i] - b[i]));
  return off / largest;
}

TEST(Merge, AnswersAsTheAdaptedModel) {
  test::TemporaryFolder folder;
  ASSERT_EQ(call({"merge", base, folder / "out", "--lora", adapter}), 0);
  const auto plain = logits(folder, {base}), adapted = logits(folder, {base, "--lora", adapter}),
             merged = logits(folder, {folder / "out"});
  EXPECT_GT(apart(adapted, plain), 1e-2);
  EXPECT_LE(apart(adapted, merged), 1e-5);
  EXPECT_EQ(call({"merge", base, folder / "out", "--lora", adapter}), 9);  // it is there already
  ASSERT_EQ(call({"merge", base, folder / "out", "--lora", adapter, "--force", "--type", "f16"}), 0);
  EXPECT_LE(apart(adapted, logits(folder, {folder / "out"})), 1e-2);
}

TEST(Merge, MixesAlongTheLineAndTheArc) {
  test::TemporaryFolder folder;
  ASSERT_EQ(call({"merge", base, folder / "b", "--lora", adapter}), 0);
  const std::string b = folder / "b", name = "model.layers.0.self_attn.q_proj.weight";
  for (const char* way : {"--linear", "--slerp"}) {
    const std::string out = folder / std::string(way);
    for (const auto& [at, like] : {std::pair("0", base), std::pair("1", b)}) {
      ASSERT_EQ(call({"merge", base, b, out, way, at, "--force"}), 0);
      EXPECT_EQ(values(out, name.c_str()), values(like, name.c_str())) << way << at;
    }
    ASSERT_EQ(call({"merge", base, b, out, way, "0.25", "--force"}), 0);
    const auto from = values(base, name.c_str()), to = values(b, name.c_str()), got = values(out, name.c_str());
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < from.size(); ++i) aa += from[i] * from[i], bb += to[i] * to[i], ab += from[i] * to[i];
    const double angle = std::acos(ab / std::sqrt(aa * bb)), arc = std::sin(angle);
    const bool line = std::string(way) == "--linear" || ab / std::sqrt(aa * bb) > 0.9995;
    const double mine = line ? 0.75 : std::sin(0.75 * angle) / arc, other = line ? 0.25 : std::sin(0.25 * angle) / arc;
    for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], mine * from[i] + other * to[i], 1e-6) << way;
  }
}

// Through the layers: a repository, its GGUF and a rounded one, each merged into each kind of file.
TEST(Merge, AnyFileIntoGguf) {
  test::TemporaryFolder folder;
  ASSERT_EQ(call({"convert", base, folder / "base.gguf", "--type", "f32"}), 0);
  const std::string half = folder / "half.gguf";
  ASSERT_EQ(call({"convert", base, half, "--type", "f16"}), 0);
  for (const auto& [from, out] : {std::pair(base, "a.gguf"),
                                  {folder / "base.gguf", "b.gguf"},
                                  {half, "c.gguf"},
                                  {folder / "base.gguf", "d"},
                                  {half, "e"}}) {
    ASSERT_EQ(call({"merge", from, folder / out, "--lora", adapter}), 0) << out;
    const auto adapted = logits(folder, {from, "--lora", adapter});
    EXPECT_GT(apart(adapted, logits(folder, {from})), 1e-2) << out;
    EXPECT_LE(apart(adapted, logits(folder, {folder / out})), 1e-5) << out;
  }
  ASSERT_EQ(call({"merge", half, folder / "f.gguf", "--lora", adapter, "--type", "q8_0"}), 0);
  EXPECT_LE(apart(logits(folder, {half, "--lora", adapter}), logits(folder, {folder / "f.gguf"})), 5e-2);
  EXPECT_EQ(call({"merge", base, folder / "g", "--lora", adapter, "--type", "q8_0"}), 5);
}

TEST(Merge, MixesOfTwoKindsOfFilesAreThoseOfOne) {
  test::TemporaryFolder folder;
  ASSERT_EQ(call({"merge", base, folder / "b", "--lora", adapter}), 0);
  ASSERT_EQ(call({"convert", folder / "b", folder / "b.gguf", "--type", "f32"}), 0);
  for (const char* way : {"--linear", "--slerp"}) {
    ASSERT_EQ(call({"merge", base, folder / "b", folder / "plain", way, "0.3", "--force"}), 0);
    ASSERT_EQ(call({"convert", folder / "plain", folder / "plain.gguf", "--type", "f32", "--force"}), 0);
    ASSERT_EQ(call({"merge", base, folder / "b.gguf", folder / "mixed.gguf", way, "0.3", "--type", "f32", "--force"}),
              0);
    const auto plain = open_source(folder / "plain.gguf"), mixed = open_source(folder / "mixed.gguf");
    for (const StoredTensor& t : plain->tensors()) {
      const StoredTensor* other = mixed->find(t.name);
      ASSERT_NE(other, nullptr) << t.name;
      EXPECT_TRUE(std::ranges::equal(t.bytes, other->bytes)) << way << " " << t.name;
    }
  }
}

TEST(Merge, RefusesWhatDoesNotFit) {
  test::TemporaryFolder folder;
  const std::string other = test::data_folder() + "/models/qwen2";
  EXPECT_EQ(call({"merge", base, folder / "out"}), 2);
  EXPECT_EQ(call({"merge", base, other, folder / "out", "--slerp", "0.5", "--linear", "0.5"}), 2);
  EXPECT_EQ(call({"merge", base, folder / "out", "--slerp", "0.5"}), 2);
  EXPECT_EQ(call({"merge", base, other, folder / "out", "--slerp", "0.5"}), 6);
  EXPECT_EQ(call({"merge", test::data_folder() + "/models/llama2-gqa", folder / "out", "--lora", adapter}), 6);
  EXPECT_EQ(call({"merge", test::data_folder() + "/gguf/llama-q8_0.gguf", folder / "out", "--lora", adapter}), 6);
  EXPECT_EQ(call({"merge", base, other, folder / "out.gguf", "--slerp", "0.5"}), 6);
  EXPECT_EQ(call({"merge", base, folder / "out", "--lora", base}), 3);
  EXPECT_EQ(call({"merge", base, base, "--lora", adapter, "--force"}), 9);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path));
}

}  // namespace
}  // namespace madang
