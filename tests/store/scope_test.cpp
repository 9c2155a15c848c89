// Weights by name and shape: the rules, their errors, and every golden file of the first six families.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "store/ask.h"
#include "store/build.h"
#include "store/rules.h"
#include "support.h"

namespace madang::test {
namespace {

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.render(Language::english);
  }
  return "";
}

bool says(const std::string& message, std::initializer_list<const char*> words) {
  for (const char* word : words)
    if (message.find(word) == std::string::npos) return std::cout << "no " << word << " in: " << message << "\n", false;
  return true;
}

std::shared_ptr<const Source> opened(const TemporaryFolder& folder, const GgufFile& f) {
  write_file(folder / "a.gguf", f.bytes());
  return open_source(folder / "a.gguf");
}

TEST(Patterns, FitAndFill) {
  std::vector<std::string> p;
  EXPECT_TRUE(fits("a.{}.b.{}", "a.12.b.c", p));
  EXPECT_EQ(p, (std::vector<std::string>{"12", "c"}));
  EXPECT_EQ(filled("x.{}.{}", p), "x.12.c");
  EXPECT_EQ(filled("x.{1}.{0}", p), "x.c.12");
  EXPECT_FALSE(fits("a.{}", "a.b.c", p));
  EXPECT_FALSE(fits("a.{}", "a.", p));
  EXPECT_TRUE(fits("{...}.end", "a.b.end", p));
  EXPECT_EQ(p[0], "a.b");
  EXPECT_FALSE(fits("{...}.end", ".end", p));
}

TEST(Scope, LlamaFromGguf) {
  TemporaryFolder folder;
  auto source = opened(folder, tiny_llama_gguf());
  const Config c = source->config();
  EXPECT_NO_THROW(ask_all(source, c));
  const Scope attention = WeightStore(source, c).root() / "model.layers" / 0 / "self_attn";
  // Rows (0 1 2 3) of each head were pairs: halves are 0 2 | 1 3.
  const Weight q = attention.weight("q_proj.weight", 8, 8);
  const int64_t order[] = {0, 2, 1, 3, 4, 6, 5, 7};
  for (int64_t row = 0; row < 8; ++row)
    for (int64_t col = 0; col < 8; ++col) EXPECT_EQ(q.f32()[row * 8 + col], static_cast<float>(order[row] * 8 + col));
  // The others are the mapped bytes themselves.
  EXPECT_EQ(attention.weight("v_proj.weight", 4, 8).bytes, source->find("blk.0.attn_v.weight")->bytes.data());
}

// Drafts that ship with a model: one layer more, which guesses the token after the next.
TEST(Scope, LayersThatGuessAheadAreNotAskedFor) {
  auto with = [](const char* name, uint32_t ahead = 1) {
    GgufFile f = tiny_llama_gguf(2);
    f.key("llama.nextn_predict_layers", ahead).tensor(name, {6, 8}, counted(48));
    return f;
  };
  TemporaryFolder folder;
  auto source = opened(folder, with("blk.1.nextn.eh_proj.weight"));
  EXPECT_EQ(source->config().integer("num_hidden_layers"), 1);
  EXPECT_NO_THROW(ask_all(source, source->config()));
  for (const char* stray : {"blk.0.nextn.eh_proj.weight", "blk.2.ffn_up.weight", "blk.x"}) {
    source = opened(folder, with(stray));
    EXPECT_THROW(ask_all(source, source->config()), Error) << stray;
  }
  for (const uint32_t ahead : {2u, ~0u})
    EXPECT_TRUE(says(message_of([&] { opened(folder, with("blk.1.x.weight", ahead))->config(); }),
                     {"nextn_predict_layers", "< 2"}));
  // A repository's last layer taken for such a one, whatever number of them the file says.
  source = open_source(data_folder() + "/models/llama2-gqa");
  Json keys = source->config().keys();
  keys["num_hidden_layers"] = keys["num_hidden_layers"].get<int64_t>() - 1, keys.erase("layer_types");
  EXPECT_THROW(ask_all(source, Config(keys, "")), Error);
  for (const int64_t more : {int64_t{1}, std::numeric_limits<int64_t>::max()}) {
    keys["num_nextn_predict_layers"] = more;
    EXPECT_NO_THROW(ask_all(source, Config(keys, "")));
  }
}

TEST(Scope, QuantizedRowsMoveWhole) {
  TemporaryFolder folder;
  GgufFile f;
  f.key("general.architecture", "llama")
      .key("llama.attention.head_count", 1u)
      .key("llama.embedding_length", 32u)
      .key("llama.block_count", 1u);
  std::string rows;
  for (char r = 0; r < 4; ++r) rows += std::string(34, static_cast<char>('a' + r));
  f.tensor("blk.0.attn_q.weight", {4, 32}, rows, 8);
  auto source = opened(folder, f);
  const Weight q = WeightStore(source, source->config()).root().weight("model.layers.0.self_attn.q_proj.weight", 4, 32);
  EXPECT_EQ(q.format->name, "Q8_0");
  EXPECT_EQ(*q.row(0), 'a');
  EXPECT_EQ(*q.row(1), 'c');
  EXPECT_EQ(*q.row(2), 'b');
  EXPECT_EQ(*q.row(3), 'd');
}

TEST(Scope, ExpertsAreSlicesWithoutCopies) {
  TemporaryFolder folder;
  GgufFile f;
  f.key("general.architecture", "llama").key("llama.expert_count", 3u).key("llama.block_count", 1u);
  f.tensor("blk.0.ffn_gate_exps.weight", {3, 2, 4}, counted(24)).tensor("blk.0.ffn_up.1.weight", {2, 4}, counted(8));
  auto source = opened(folder, f);
  EXPECT_EQ(source->config().architecture(), "mixtral");
  const Scope experts = WeightStore(source, source->config()).root() / "model.layers.0.block_sparse_moe.experts";
  EXPECT_EQ((experts / 2).weight("w1.weight", 2, 4).f32()[0], 16);
  EXPECT_EQ((experts / 2).weight("w1.weight", 2, 4).bytes,
            source->find("blk.0.ffn_gate_exps.weight")->bytes.data() + 64);
  EXPECT_EQ((experts / 1).weight("w3.weight", 2, 4).f32()[7], 7);  // the older layout
  EXPECT_TRUE(
      says(message_of([&] { (experts / 3).weight("w1.weight", 2, 4); }), {"ffn_gate_exps", "expert 3", "[3, 2, 4]"}));
}

TEST(Scope, MambaFromGguf) {
  TemporaryFolder folder;
  GgufFile f;
  f.key("general.architecture", "mamba").key("mamba.block_count", 1u).key("mamba.embedding_length", 4u);
  f.tensor("blk.0.ssm_a", {2, 2}, floats({-1, -2, -3.5f, -0.25f}))
      .tensor("blk.0.ssm_conv1d.weight", {2, 3}, counted(6));
  f.tensor("blk.0.ssm_d", {2}, counted(2));
  auto source = opened(folder, f);
  const Scope mixer = WeightStore(source, source->config()).root() / "backbone.layers.0.mixer";
  const Buffer a = mixer.tensor("A_log", {2, 2});
  EXPECT_EQ(a.f32()[0], 0);
  EXPECT_EQ(a.f32()[2], static_cast<float>(std::log(3.5)));
  EXPECT_EQ(mixer.tensor("conv1d.weight", {2, 1, 3}).f32()[5], 5);  // axes of one do not count
  EXPECT_EQ(mixer.tensor("conv1d.weight", {2, 3}).f32()[5], 5);
}

// Operations that the first six families do not need, on a source of their own.
TEST(Rules, JoinAndTranspose) {
  TemporaryFolder folder;
  write_file(
      folder / "a.safetensors",
      SafetensorsFile().add("a", {1, 2}, counted(2)).add("b", {2, 2}, counted(4, 2)).add("c", {3}, counted(3)).bytes());
  auto source = open_source(folder / "a.safetensors");
  const Config config(Json{{"model_type", "test"}}, "test");
  const StoredTensor *a = source->find("a"), *b = source->find("b"), *c = source->find("c");
  const std::vector<std::string> none;
  const Rule rule{"", ""};
  const StoredTensor* both[] = {a, b};
  const StoredTensor joined = join({both, rule, config, none});
  EXPECT_EQ(joined.shape_text(), "[3, 2]");
  EXPECT_EQ(std::string(joined.bytes.begin(), joined.bytes.end()), counted(6));
  const StoredTensor* one[] = {b};
  const StoredTensor turned = transpose({one, rule, config, none});
  EXPECT_EQ(std::string(turned.bytes.begin(), turned.bytes.end()), floats({2, 4, 3, 5}));
  const StoredTensor* unlike[] = {a, c};
  EXPECT_THROW(join({unlike, rule, config, none}), Error);
  const StoredTensor* positive[] = {c};
  EXPECT_THROW(log_negated({positive, rule, config, none}), Error);
}

TEST(Scope, ErrorsNameTensorFileExpectedAndFound) {
  TemporaryFolder folder;
  write_file(folder / "m.safetensors",
             SafetensorsFile().add("a.weight", {2, 3}, counted(6)).add("n", {2}, std::string(16, 0), "I64").bytes());
  auto source = open_source(folder / "m.safetensors");
  WeightStore store(source, Config(Json{{"model_type", "llama"}}, "test"));
  const Scope root = store.root();
  EXPECT_TRUE(
      says(message_of([&] { root.weight("a.weight", 3, 2); }), {"m.safetensors", "a.weight", "[3, 2]", "[2, 3]"}));
  EXPECT_TRUE(says(message_of([&] { root.weight("b.weight", 3, 2); }), {"m.safetensors", "b.weight", "[3, 2]"}));
  EXPECT_TRUE(says(message_of([&] { root.vector("n", 2); }), {"I64", "n"}));
  EXPECT_EQ(message_of([&] { store.finish(); }), "");  // both were asked for
  WeightStore fresh(source, Config(Json{{"model_type", "llama"}}, "test"));
  EXPECT_TRUE(says(message_of([&] { fresh.finish(); }), {"2 tensors", "a.weight", "[2, 3]", "llama"}));
}

TEST(Scope, TiedOutputIsTheEmbeddingEvenIfStored) {
  TemporaryFolder folder;
  write_file(folder / "m.safetensors", SafetensorsFile()
                                           .add("lm_head.weight", {2, 3}, counted(6))
                                           .add("model.layers.0.self_attn.rotary_emb.inv_freq", {2}, counted(2))
                                           .bytes());
  auto source = open_source(folder / "m.safetensors");
  WeightStore tied(source, Config(Json{{"model_type", "llama"}, {"tie_word_embeddings", true}}, "test"));
  EXPECT_FALSE(tied.root().has("lm_head.weight"));
  EXPECT_NO_THROW(tied.finish());  // frequencies are ignorable too
  EXPECT_TRUE(WeightStore(source, Config(Json{{"model_type", "llama"}}, "test")).root().has("lm_head.weight"));
}

TEST(Scope, FloatsAreAligned) {
  TemporaryFolder folder;
  for (int pad = 0; pad < 4; ++pad) {
    SafetensorsFile f;
    f.add("a", {pad}, std::string(static_cast<size_t>(pad), 'x'), "U8").add("w", {2, 2}, counted(4));
    write_file(folder / "m.safetensors", f.bytes());
    auto source = open_source(folder / "m.safetensors");
    const Weight w = WeightStore(source, Config(Json{{"model_type", "llama"}}, "test")).root().weight("w", 2, 2);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(w.bytes) % 4, 0u);
    EXPECT_EQ(w.f32()[3], 3);
  }
}

bool in_first_families(const std::string& name) {
  if (name == "solar-open") return false;
  for (const char* prefix :
       {"llama", "codellama", "solar", "kanana", "mistral", "mixtral", "gemma3", "qwen1.5", "qwen2"})
    if (name.starts_with(prefix))
      return !name.starts_with("llama4") && !name.starts_with("qwen2-moe") && !name.starts_with("qwen2moe");
  return name == "mamba" || name == "mamba-f16";
}

TEST(Golden, EveryModelOfTheFirstFamiliesGivesAllItsWeights) {
  const std::string shared = shared_folder();
  if (shared.empty()) GTEST_SKIP() << "no shared folder";
  int models = 0, files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared + "/golden/models")) {
    const std::string name = entry.path().filename().string();
    if (!in_first_families(name)) continue;
    auto source = open_source(entry.path().string());
    EXPECT_NO_THROW(ask_all(source, source->config())) << name;
    ++models;
  }
  for (const auto& entry : std::filesystem::directory_iterator(shared + "/golden/gguf")) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() != ".gguf" || name.find("bigendian") != std::string::npos) continue;
    auto source = open_source(entry.path().string());  // all of them open
    if (!in_first_families(name)) continue;
    EXPECT_NO_THROW(ask_all(source, source->config())) << name;
    ++files;
  }
  EXPECT_EQ(models, 20);
  EXPECT_GE(files, 20);
  std::cout << models << " models, " << files << " GGUF files\n";
  auto stories = open_source(shared + "/real/weights/stories260K");
  EXPECT_EQ(stories->layout(), Layout::llama2c);
  EXPECT_NO_THROW(ask_all(stories, stories->config()));
  try {
    open_source(shared + "/golden/gguf/llama-f16-bigendian.gguf");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::unsupported);
  }
}

}  // namespace
}  // namespace madang::test
