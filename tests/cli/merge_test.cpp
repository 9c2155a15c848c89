// madang merge, and --lora where models answer: merged or not, the same logits.
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "cli/commands.h"
#include "models/model.h"
#include "store/gguf_write.h"
#include "store/safetensors.h"
#include "store/scope.h"
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

/// What convert_lora_to_gguf.py of llama.cpp writes.
void write_gguf_adapter(const std::string& path, const std::vector<NamedTensor>& tensors,
                        const std::string& architecture = "llama", const std::string& type = "adapter") {
  GgufWriter out(path);
  out.put("general.architecture", architecture);
  out.put("general.type", type);
  out.put("adapter.type", "lora");
  out.put("adapter.lora.alpha", 6.0f);
  for (const NamedTensor& t : tensors) {
    std::vector<int64_t> shape(t.tensor.shape.dim.begin(), t.tensor.shape.dim.begin() + t.tensor.shape.rank);
    out.declare(t.name, f32_format, shape);
  }
  out.begin();
  for (const NamedTensor& t : tensors)
    out.write({static_cast<const uint8_t*>(t.tensor.data), static_cast<size_t>(t.tensor.bytes())});
  out.finish();
}

/// One adapter in both kinds of files: queries and keys of rank 4, all experts of rank 3.
class TwoFiles {
 public:
  explicit TwoFiles(const test::TemporaryFolder& folder) {
    for (int64_t layer = 0; layer < 2; ++layer) {
      attention(layer, "q", 48), attention(layer, "k", 24);
      experts(layer, "w1", "gate", 48, 20), experts(layer, "w3", "up", 48, 20), experts(layer, "w2", "down", 20, 48);
    }
    std::filesystem::create_directory(folder / "peft");
    std::ofstream(folder / "peft/adapter_config.json")
        << Json{{"r", 4}, {"lora_alpha", 6}, {"rank_pattern", {{"w[123]", 3}}}}.dump();
    write_safetensors(folder / "peft/adapter_model.safetensors", peft);
    write_gguf_adapter(folder / "adapter.gguf", gguf);
  }
  std::vector<NamedTensor> peft, gguf;

 private:
  Buffer drawn(Shape shape) {
    Buffer b(DType::f32, shape);
    for (int64_t i = 0; i < b.view().numel(); ++i) b.f32()[i] = static_cast<float>(random_.uniform() - 0.5) * 0.4f;
    kept_.push_back(b);
    return b;
  }
  void put_peft(const std::string& module, const Buffer& a, const Buffer& b) {
    peft.push_back({"base_model.model." + module + ".lora_A.weight", a});
    peft.push_back({"base_model.model." + module + ".lora_B.weight", b});
  }
  void put_gguf(const std::string& name, const Buffer& a, const Buffer& b) {
    gguf.push_back({name + ".weight.lora_a", a}), gguf.push_back({name + ".weight.lora_b", b});
  }

  // llama.cpp turns neighbouring rows of a head where transformers turns its halves.
  void attention(int64_t layer, const std::string& which, int64_t rows) {
    constexpr int64_t rank = 4, head = 12;
    const Buffer a = drawn({rank, 48}), b = drawn({rows, rank}), paired = drawn({rows, rank});
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t at = i % head, to = i - at + (at < head / 2 ? 2 * at : 2 * (at - head / 2) + 1);
      std::copy_n(b.view().row(i), rank, paired.view().row(to));
    }
    put_peft(fmt::format("model.layers.{}.self_attn.{}_proj", layer, which), a, b);
    put_gguf(fmt::format("blk.{}.attn_{}", layer, which), a, paired);
  }

  void experts(int64_t layer, const std::string& theirs, const std::string& name, int64_t in, int64_t out) {
    constexpr int64_t rank = 3, count = 4;
    const Buffer a = drawn({count, rank, in}), b = drawn({count, out, rank});
    for (int64_t e = 0; e < count; ++e) {
      const Buffer one_a = drawn({rank, in}), one_b = drawn({out, rank});
      std::copy_n(a.f32() + e * rank * in, rank * in, one_a.f32());
      std::copy_n(b.f32() + e * rank * out, rank * out, one_b.f32());
      put_peft(fmt::format("model.layers.{}.block_sparse_moe.experts.{}.{}", layer, e, theirs), one_a, one_b);
    }
    put_gguf(fmt::format("blk.{}.ffn_{}_exps", layer, name), a, b);
  }

  Random random_{test::seed()};
  std::vector<Buffer> kept_;
};

TEST(Merge, AnAdapterInGgufIsTheOneInPeftsFiles) {
  test::TemporaryFolder folder;
  const TwoFiles files(folder);
  const std::string peft = folder / "peft", gguf = folder / "adapter.gguf";
  ASSERT_EQ(call({"convert", base, folder / "base.gguf", "--type", "f32"}), 0);
  const auto plain = logits(folder, {base});
  for (const std::string& from : {base, std::string(folder / "base.gguf")}) {
    const auto adapted = logits(folder, {from, "--lora", peft});
    EXPECT_GT(apart(adapted, plain), 1e-2);
    EXPECT_EQ(logits(folder, {from, "--lora", gguf}), adapted) << from;
    for (const char* out : {"merged", "merged.gguf"}) {
      ASSERT_EQ(call({"merge", from, folder / out, "--lora", gguf, "--force"}), 0);
      EXPECT_LE(apart(adapted, logits(folder, {folder / out})), 1e-5) << from << out;
    }
  }
}

TEST(Merge, AdaptersInGgufThatAreNoneAreRefused) {
  test::TemporaryFolder folder;
  const TwoFiles files(folder);
  const std::string path = folder / "other.gguf";
  const auto code = [&] { return call({"logits", base, "--ids", "5,9", "--out", folder / "x", "--lora", path}); };
  write_gguf_adapter(path, files.gguf);
  EXPECT_EQ(code(), 0);
  write_gguf_adapter(path, files.gguf, "qwen2");
  EXPECT_EQ(code(), 6);
  write_gguf_adapter(path, files.gguf, "llama", "model");
  EXPECT_EQ(code(), 5);
  write_gguf_adapter(path, {});
  EXPECT_EQ(code(), 3);
  std::vector<NamedTensor> changed = files.gguf;
  changed.pop_back();
  write_gguf_adapter(path, changed);
  EXPECT_EQ(code(), 3);  // half a pair
  changed = files.gguf;
  changed.push_back({"blk.0.attn_norm.weight", changed[0].tensor});
  write_gguf_adapter(path, changed);
  EXPECT_EQ(code(), 5);
  changed.back().name = "blk.2.attn_q.weight.lora_a";
  changed.push_back({"blk.2.attn_q.weight.lora_b", files.gguf[1].tensor});
  write_gguf_adapter(path, changed);
  EXPECT_EQ(code(), 6);  // there are two layers
  changed = files.gguf;
  std::swap(changed[0].tensor, changed[1].tensor);
  write_gguf_adapter(path, changed);
  EXPECT_EQ(code(), 6);  // [out, r] and [r, in]
  changed = files.gguf;
  changed[1].tensor = changed[3].tensor;
  write_gguf_adapter(path, changed);
  EXPECT_EQ(code(), 6);  // keys' rows for queries
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

// Zamba 2's first and third layer share a block; transformers has it in both, and so adapters have a part for each.
TEST(Merge, RefusesPartsOfTheirOwnForWhatLayersShare) {
  test::TemporaryFolder folder;
  const std::string shared = test::data_folder() + "/models/tiny-zamba2",
                    down = ".shared_transformer.feed_forward.down_proj.lora_A.weight";
  const auto source = open_source(shared);
  const auto made = Adapter::make(AdapterConfig(2, 4, "all-linear", false, false), 1);
  const WeightStore store(source, source->config(), Hold::mapped, made);
  const auto model = build_model(source->config(), store.root());
  store.finish();
  made->write(folder / "adapter");
  const auto written = open_safetensors(folder / "adapter/adapter_model.safetensors");
  for (const char* layer : {"0", "1", "2"})
    EXPECT_TRUE(written->find("base_model.model.model.layers." + std::string(layer) + down)) << layer;
  for (const char* out : {"out", "out.gguf"})
    EXPECT_EQ(call({"merge", shared, folder / out, "--lora", folder / "adapter"}), 5);
}

}  // namespace
}  // namespace madang
