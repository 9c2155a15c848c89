// Adapters as files: what peft writes is read, what it could not mean is refused with its place.
#include "store/adapter.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

using test::TemporaryFolder;

constexpr const char* q_proj = "base_model.model.model.layers.0.self_attn.q_proj.";

void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// A folder with this configuration and tensors of ones.
std::string folder_with(const TemporaryFolder& at, const Json& config,
                        const std::vector<std::pair<std::string, Shape>>& tensors) {
  write_text(at / "adapter_config.json", config.dump());
  std::vector<Buffer> kept;
  std::vector<NamedTensor> named;
  for (const auto& [name, shape] : tensors) {
    kept.emplace_back(DType::f32, shape);
    std::fill_n(kept.back().f32(), shape.numel(), 1.0f);
    named.push_back({name, kept.back()});
  }
  write_safetensors(at / "adapter_model.safetensors", named);
  return at.path.string();
}

std::vector<std::pair<std::string, Shape>> q_tensors(int64_t rank, int64_t in, int64_t out) {
  return {{std::string(q_proj) + "lora_A.weight", {rank, in}}, {std::string(q_proj) + "lora_B.weight", {out, rank}}};
}

const std::vector<AdapterPlace> q_place = {{.module = "model.layers.0.self_attn.q_proj"}};

TEST(Adapter, IsReadAndWrittenAgain) {
  TemporaryFolder in, out;
  const Json config = {
      {"peft_type", "LORA"}, {"r", 4}, {"lora_alpha", 8}, {"use_rslora", true}, {"eva_config", nullptr}};
  const auto adapter = Adapter::read(folder_with(in, config, q_tensors(4, 6, 5)), Adapter::Use::answer);
  EXPECT_FALSE(adapter->find({{.module = "model.layers.0.self_attn.k_proj"}}, 5, 6));
  const auto part = adapter->find(q_place, 5, 6);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->a.rows, 4);
  EXPECT_EQ(part->b.rows, 5);
  EXPECT_FLOAT_EQ(part->scale, 8 / std::sqrt(4.0f));
  adapter->finish();
  adapter->write(out.path.string());
  const auto again = open_safetensors(out / "adapter_model.safetensors");
  EXPECT_EQ(again->tensors().size(), 2u);
  EXPECT_EQ(again->metadata().at("format"), "pt");
  EXPECT_EQ(read_json(out / "adapter_config.json"), config);
}

TEST(Adapter, PatternsComeBeforeTheGeneralNumbers) {
  TemporaryFolder in;
  const Json config = {
      {"r", 4}, {"lora_alpha", 8}, {"rank_pattern", {{"q_proj", 2}}}, {"alpha_pattern", {{".*attn.q_proj", 10}}}};
  const auto adapter = Adapter::read(folder_with(in, config, q_tensors(2, 6, 5)), Adapter::Use::answer);
  EXPECT_FLOAT_EQ(adapter->find(q_place, 5, 6)->scale, 5);
  EXPECT_EQ(adapter->config().rank("model.layers.0.self_attn.k_proj"), 4);
  EXPECT_EQ(adapter->config().rank("model.layers.0.self_attn.q_proj.x"), 4);
}

TEST(Adapter, TargetsAsPeftDoes) {
  const AdapterConfig list(4, 8, Json{"q_proj", "model.layers.1.mlp.up_proj"}, false, false),
      expression(4, 8, ".*\\.(q|k)_proj", false, false), all(4, 8, "all-linear", false, false);
  EXPECT_TRUE(list.targets("model.layers.0.self_attn.q_proj"));
  EXPECT_FALSE(list.targets("model.layers.0.self_attn.xq_proj"));
  EXPECT_TRUE(list.targets("model.layers.1.mlp.up_proj"));
  EXPECT_FALSE(list.targets("model.layers.0.mlp.up_proj"));
  EXPECT_TRUE(expression.targets("model.layers.0.self_attn.k_proj"));
  EXPECT_FALSE(expression.targets("model.layers.0.self_attn.k_proj.more"));
  EXPECT_TRUE(all.targets("model.layers.0.mlp.up_proj"));
  EXPECT_FALSE(all.targets("lm_head"));
}

TEST(Adapter, ExpertsAreTakenFromOneTensor) {  // a [experts * r, in]; b [out, r * experts], the expert running fastest
  TemporaryFolder in;
  const std::string name = "base_model.model.mlp.experts.";
  const Json config = {{"r", 2}, {"lora_alpha", 2}};
  std::vector<Buffer> numbers = {Buffer(DType::f32, {6, 4}), Buffer(DType::f32, {8, 6})};
  for (Buffer& b : numbers)
    for (int64_t i = 0; i < b.view().numel(); ++i) b.f32()[i] = static_cast<float>(i);
  write_text(in / "adapter_config.json", config.dump());
  write_safetensors(in / "adapter_model.safetensors",
                    {{name + "lora_A.weight", numbers[0]}, {name + "lora_B.weight", numbers[1]}});
  const auto adapter = Adapter::read(in.path.string(), Adapter::Use::answer);
  const AdapterPlace up{.module = "mlp.experts", .parameter = "gate_up_proj", .expert = 1, .begin = 4, .out = 8};
  const auto part = adapter->find({up}, 4, 4);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->a.f32()[0], 2 * 4);  // row e r of a
  for (int64_t i = 0; i < 4; ++i)
    for (int64_t k = 0; k < 2; ++k) EXPECT_EQ(part->b.f32()[i * 2 + k], static_cast<float>((4 + i) * 6 + k * 3 + 1));
  TemporaryFolder out;
  adapter->write(out.path.string());
  const auto again = open_safetensors(out / "adapter_model.safetensors");
  const StoredTensor* b = again->find(name + "lora_B.weight");
  ASSERT_TRUE(b);
  EXPECT_EQ(std::memcmp(b->bytes.data(), numbers[1].f32(), b->bytes.size()), 0);
  EXPECT_THROW(adapter->find({{.module = "mlp.experts", .parameter = "gate_up_proj", .expert = 3, .out = 8}}, 4, 4),
               Error);
}

TEST(Adapter, ANewOneStartsFromNothing) {
  const auto adapter = Adapter::make(AdapterConfig(4, 8, Json{"q_proj", "k_proj"}, false, false), 7);
  const auto q = adapter->find(q_place, 5, 6), k = adapter->find({{.module = "model.layers.0.self_attn.k_proj"}}, 3, 6);
  EXPECT_FALSE(adapter->find({{.module = "model.layers.0.self_attn.v_proj"}}, 3, 6));
  adapter->finish();
  ASSERT_EQ(adapter->parameters().size(), 4u);
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(q->b.f32()[i], 0);
  // k_proj comes first among the names.
  const auto drawn = [](uint64_t n, uint64_t i) {
    return (static_cast<double>(splitmix64((uint64_t{7} << 48) + (n << 32) + i) >> 40) / (1 << 23) - 1) /
           std::sqrt(6.0);
  };
  EXPECT_EQ(k->a.f32()[3], static_cast<float>(drawn(0, 3)));
  EXPECT_EQ(q->a.f32()[3], static_cast<float>(drawn(1, 3)));
}

TEST(Adapter, RefusesWhatItIsNot) {
  const Json good = {{"r", 4}, {"lora_alpha", 8}};
  const auto refused = [](const Json& config, const std::vector<std::pair<std::string, Shape>>& tensors) {
    TemporaryFolder at;
    try {
      const auto adapter = Adapter::read(folder_with(at, config, tensors), Adapter::Use::answer);
      adapter->find(q_place, 5, 6);
      adapter->finish();
    } catch (const Error& fault) {
      EXPECT_NE(fault.kind(), Kind::internal) << fault.what();
      return true;
    }
    return false;
  };
  const auto with = [&](const char* key, const Json& value) {
    Json changed = good;
    changed[key] = value;
    return changed;
  };
  EXPECT_FALSE(refused(good, q_tensors(4, 6, 5)));
  EXPECT_FALSE(refused(with("some_new_method", nullptr), q_tensors(4, 6, 5)));
  EXPECT_TRUE(refused(good, {}));
  EXPECT_TRUE(refused(good, q_tensors(3, 6, 5)));
  EXPECT_TRUE(refused(good, q_tensors(4, 7, 5)));
  EXPECT_TRUE(refused(good, q_tensors(4, 6, 6)));
  EXPECT_TRUE(refused(good, {{std::string(q_proj) + "lora_A.weight", {4, 6}}}));
  EXPECT_TRUE(
      refused(good, {{std::string(q_proj) + "lora_A.weight", {4, 6}}, {std::string(q_proj) + "lora_B.weight", {20}}}));
  EXPECT_TRUE(refused(good, {{"model.q_proj.lora_A.weight", {4, 6}}}));
  EXPECT_TRUE(refused(Json::array(), q_tensors(4, 6, 5)));
  for (const auto& [key, value] : std::vector<std::pair<const char*, Json>>{{"peft_type", "IA3"},
                                                                            {"bias", "all"},
                                                                            {"modules_to_save", {"lm_head"}},
                                                                            {"init_lora_weights", "pissa"},
                                                                            {"r", 0},
                                                                            {"r", "8"},
                                                                            {"r", 1e18},
                                                                            {"lora_alpha", nullptr},
                                                                            {"use_rslora", 1},
                                                                            {"rank_pattern", {{"(", 4}}},
                                                                            {"rank_pattern", 3},
                                                                            {"rank_pattern", {{"q_proj", 0}}},
                                                                            {"use_qalora", true},
                                                                            {"target_modules", 5},
                                                                            {"use_dora", true}})
    EXPECT_TRUE(refused(with(key, value), q_tensors(4, 6, 5))) << key;
  EXPECT_THROW(Adapter::read("/nowhere", Adapter::Use::answer), Error);
}

// peft trains the one matrix that a repository keeps of a gate and what it gates.
TEST(AdapterPlaces, HalvesOfOneModule) {
  const Config c(Json{{"model_type", "granitemoehybrid"}}, "");
  const auto gate = adapter_places("model.layers.0.shared_mlp.gate_proj", 6, c)[0],
             up = adapter_places("model.layers.0.shared_mlp.up_proj", 6, c)[0];
  EXPECT_EQ(gate.module, "model.layers.0.shared_mlp.input_linear");
  EXPECT_EQ(up.module, gate.module);
  EXPECT_EQ(gate.begin, 0);
  EXPECT_EQ(up.begin, 6);
  EXPECT_EQ(up.out, 12);
}

}  // namespace
}  // namespace madang
