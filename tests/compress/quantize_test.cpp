// Whole files through quantize(): what is carried over, what changes, what is refused; same bytes for any number of
// threads; importance matrices written and read again.
#include "compress/quantize.h"

#include <cmath>
#include <cstring>
#include <random>

#include "base/error.h"
#include "store/gguf_write.h"
#include "support.h"

namespace madang {
namespace {

// A file shaped like a small Llama: 9 layers, so that "the first eighth" is one of them.
void write_model(const std::string& path, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, 0.02f);
  GgufWriter out(path);
  out.put("general.architecture", "llama");
  out.put("llama.block_count", uint32_t{9});
  out.put("llama.attention.head_count", uint32_t{8});
  out.put("llama.attention.head_count_kv", uint32_t{2});
  out.put("tokenizer.ggml.tokens", std::vector<std::string>{"가", "b", ""});
  out.put("some.floats", std::vector<float>{1.5f, -2});
  std::vector<std::pair<std::string, std::vector<int64_t>>> tensors = {
      {"token_embd.weight", {96, 256}}, {"output.weight", {96, 256}}, {"output_norm.weight", {256}}};
  for (int i = 0; i < 9; ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    tensors.push_back({layer + "attn_norm.weight", {256}});
    tensors.push_back({layer + "attn_q.weight", {256, 256}});
    tensors.push_back({layer + "attn_v.weight", {64, 256}});
    tensors.push_back({layer + "ffn_down.weight", {256, 288}});  // rows of 288: no whole k-quant blocks
    tensors.push_back({layer + "ffn_up.weight", {288, 256}});
  }
  for (const auto& [name, shape] : tensors) out.declare(name, f32_format, shape);
  out.begin();
  for (const auto& [name, shape] : tensors) {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = normal(random);
    out.write({reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4});
  }
  out.finish();
}

GgufDraft draft_of(const std::string& path) { return gguf_draft(std::make_shared<const Gguf>(path)); }

class Quantize : public testing::Test {
 protected:
  void SetUp() override { write_model(input, test::seed()); }
  QuantizePlan run(const QuantizeOptions& options, const std::string& name, int threads = 2) {
    QuantizePlan plan = plan_quantize(draft_of(input), options);
    ThreadPool pool(threads);
    quantize(plan, folder / name, pool);
    return plan;
  }
  QuantizeOptions of(std::string_view recipe) {
    QuantizeOptions options;
    options.recipe = &recipe_by_name(recipe);
    return options;
  }
  std::string type_of(const Source& s, const std::string& tensor) { return std::string(s.find(tensor)->type_name()); }

  test::TemporaryFolder folder;
  std::string input = folder / "in.gguf";
};

TEST_F(Quantize, CarriesOverWhatItDoesNotChange) {
  const QuantizePlan plan = run(of("Q4_K_M"), "out.gguf");
  const Gguf before(input), after(folder / "out.gguf");
  EXPECT_EQ(after.integer("general.file_type"), 15);
  for (const GgufValue& v : before.values()) {
    const GgufValue* same = after.value(v.key);
    ASSERT_NE(same, nullptr) << v.key;
    EXPECT_TRUE(std::ranges::equal(same->bytes, v.bytes)) << v.key;
  }
  EXPECT_EQ(after.texts("tokenizer.ggml.tokens"), before.texts("tokenizer.ggml.tokens"));
  const StoredTensor &norm = *after.find("output_norm.weight"), &old = *before.find("output_norm.weight");
  EXPECT_TRUE(std::ranges::equal(norm.bytes, old.bytes));
  for (const PlannedTensor& t : plan.tensors) {
    const StoredTensor& written = *after.find(t.tensor->name);
    const StoredTensor& was = *before.find(t.tensor->name);
    EXPECT_EQ(written.format, t.format);
    EXPECT_EQ(written.shape, was.shape);
    if (!t.changes()) continue;
    std::vector<float> x(static_cast<size_t>(written.numel())), y(x.size());
    was.decode(x.data());
    t.format->decode(written.bytes.data(), written.numel(), y.data());
    double squares = 0, total = 0;
    for (size_t i = 0; i < x.size(); ++i)
      squares += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2),
          total += std::pow(static_cast<double>(x[i]), 2);
    EXPECT_NEAR(t.relative_error, std::sqrt(squares / total), 1e-9) << t.tensor->name;
    EXPECT_LT(t.relative_error, 0.09) << t.tensor->name;
  }
}

TEST_F(Quantize, MixesFollowTheRecipe) {
  run(of("Q4_K_M"), "out.gguf");
  const Gguf out(folder / "out.gguf");
  EXPECT_EQ(type_of(out, "output.weight"), "Q6_K");
  EXPECT_EQ(type_of(out, "token_embd.weight"), "Q4_K");
  EXPECT_EQ(type_of(out, "blk.0.attn_v.weight"), "Q6_K");  // the first eighth
  EXPECT_EQ(type_of(out, "blk.1.attn_v.weight"), "Q4_K");
  EXPECT_EQ(type_of(out, "blk.3.attn_v.weight"), "Q6_K");    // every third
  EXPECT_EQ(type_of(out, "blk.8.attn_v.weight"), "Q6_K");    // the last eighth
  EXPECT_EQ(type_of(out, "blk.0.ffn_down.weight"), "Q8_0");  // Q6_K's blocks do not fit
  EXPECT_EQ(type_of(out, "blk.1.ffn_down.weight"), "Q5_0");
  EXPECT_EQ(type_of(out, "blk.1.attn_q.weight"), "Q4_K");
}

TEST_F(Quantize, OverridesComeFirst) {
  QuantizeOptions options = of("Q4_0");
  options.overrides = {{"blk.*.attn_v.weight", format_by_name("Q8_0")}, {"ffn_up", format_by_name("F16")}};
  run(options, "out.gguf");
  const Gguf out(folder / "out.gguf");
  EXPECT_EQ(type_of(out, "blk.4.attn_v.weight"), "Q8_0");
  EXPECT_EQ(type_of(out, "blk.4.ffn_up.weight"), "F16");
  EXPECT_EQ(type_of(out, "blk.4.attn_q.weight"), "Q4_0");
  options.overrides = {{"ffn_down", format_by_name("Q4_K")}};
  EXPECT_THROW(plan_quantize(draft_of(input), options), Error);
}

TEST_F(Quantize, SameBytesForAnyNumberOfThreads) {
  for (const char* recipe : {"Q4_K_M", "Q5_0", "IQ4_XS", "IQ3_XXS"}) {
    run(of(recipe), "one.gguf", 1), run(of(recipe), "three.gguf", 3);
    EXPECT_EQ(test::read_text(folder / "one.gguf"), test::read_text(folder / "three.gguf")) << recipe;
  }
}

TEST_F(Quantize, Refusals) {
  run(of("Q4_1"), "q4.gguf");
  EXPECT_THROW(plan_quantize(draft_of(folder / "q4.gguf"), of("Q4_0")), Error);
  QuantizeOptions again = of("Q4_0");
  again.requantize = true;
  EXPECT_NO_THROW(plan_quantize(draft_of(folder / "q4.gguf"), again));
  EXPECT_NO_THROW(plan_quantize(draft_of(folder / "q4.gguf"), of("F16")));
  run(of("Q8_0"), "q8.gguf");  // which lost nothing that counts
  EXPECT_NO_THROW(plan_quantize(draft_of(folder / "q8.gguf"), of("Q4_0")));
  EXPECT_THROW(plan_quantize(draft_of(input), of("IQ2_XS")), Error);
  QuantizeOptions anyway = of("IQ2_XS");
  anyway.without_importance = true;
  EXPECT_NO_THROW(plan_quantize(draft_of(input), anyway));
  EXPECT_THROW(recipe_by_name("Q4_K_X"), Error);
  EXPECT_EQ(recipe_by_name("q4_k_m").name, "Q4_K_M");
}

TEST_F(Quantize, StoppedWorkLeavesNoFile) {
  QuantizePlan plan = plan_quantize(draft_of(input), of("Q4_0"));
  ThreadPool pool(1);
  EXPECT_THROW(quantize(plan, folder / "out.gguf", pool, [](const Progress&) { return false; }), Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf.part"));
}

TEST_F(Quantize, ImportanceGoesThroughItsFile) {
  std::mt19937_64 random(test::seed());
  std::uniform_real_distribution<float> uniform(0.1f, 2);
  Importance importance;
  importance.dataset = "책", importance.chunks = 3;
  for (int rows = 0; rows < 5; ++rows)
    for (int i = 0; i < 9; ++i) {
      std::vector<float> row(256);
      for (float& v : row) v = uniform(random) * (&v == &row[7] ? 50.0f : 1.0f);
      importance.add("blk." + std::to_string(i) + ".attn_q.weight", 0, 1, row);
      importance.add("experts.weight", i % 2, 3, row);
    }
  importance.write(folder / "im.gguf");
  const Importance back = Importance::read(folder / "im.gguf");
  EXPECT_EQ(back.dataset, "책");
  EXPECT_EQ(back.chunks, 3);
  for (const auto& [tensor, matrix] : {std::pair("blk.4.attn_q.weight", 0), std::pair("experts.weight", 1)}) {
    const auto a = back.columns(tensor, matrix, 256), b = importance.columns(tensor, matrix, 256);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6f * b[i]) << tensor;  // float32 in the file
  }
  EXPECT_TRUE(back.columns("experts.weight", 2, 256).empty());  // never asked
  EXPECT_THROW(back.columns("blk.4.attn_q.weight", 0, 255), Error);

  // The column that weighs most must lose least.
  QuantizeOptions options = of("Q4_0");
  options.importance = &back;
  run(options, "with.gguf"), run(of("Q4_0"), "without.gguf");
  const Gguf original(input), with(folder / "with.gguf"), without(folder / "without.gguf");
  auto column_error = [&](const Gguf& file) {
    const StoredTensor &x = *original.find("blk.4.attn_q.weight"), &y = *file.find("blk.4.attn_q.weight");
    std::vector<float> a(static_cast<size_t>(x.numel())), b(a.size());
    x.format->decode(x.bytes.data(), x.numel(), a.data()), y.format->decode(y.bytes.data(), y.numel(), b.data());
    double sum = 0;
    for (size_t i = 7; i < a.size(); i += 256)
      sum += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    return sum;
  };
  EXPECT_LT(column_error(with), 0.3 * column_error(without));

  Importance other;  // of another model
  other.add("model.layers.0.self_attn.q_proj.weight", 0, 1, std::vector<float>(256, 1));
  options.importance = &other;
  EXPECT_THROW(plan_quantize(draft_of(input), options), Error);
}

TEST(Importance, RefusesOtherFiles) {
  test::TemporaryFolder folder;
  const std::string path = folder / "im.dat";
  for (const std::string& bytes :
       {std::string(), std::string("\x01\0\0\0\xff\xff\xff\x7f", 8), std::string(40, '\x7f')}) {
    std::ofstream(path, std::ios::binary) << bytes;
    EXPECT_THROW(Importance::read(path), Error);
  }
  GgufWriter(path).begin();
  EXPECT_THROW(Importance::read(path), Error);
}

TEST(Matches, StarsStandForAnyLetters) {
  EXPECT_TRUE(matches("attn_v", "blk.0.attn_v.weight"));
  EXPECT_TRUE(matches("blk.*.attn_v.weight", "blk.10.attn_v.weight"));
  EXPECT_TRUE(matches("*", "anything"));
  EXPECT_TRUE(matches("blk.1*", "blk.12.ffn_up.weight"));
  EXPECT_FALSE(matches("blk.*.attn_v", "blk.10.attn_v.weight"));
  EXPECT_FALSE(matches("a*b*c", "acb"));
  EXPECT_TRUE(matches("a**c", "abc"));
}

}  // namespace
}  // namespace madang
