// Architectures whose layers remember in a fixed size, in sizes drawn anew: written as GGUF and back, with the shapes
// that llama.cpp's loader asks for, and refused where its graph has no place for a setting.
#include <algorithm>

#include "base/error.h"
#include "convert/convert.h"
#include "convert/verify.h"
#include "random_model.h"
#include "store/gguf_write.h"

namespace madang {
namespace {

using Shape64 = std::vector<int64_t>;

void convert_to(const std::string& from, const std::string& to) {
  ThreadPool pool(2);
  const ConvertOptions exact{.type = &f32_format};
  convert(plan_convert(Checkpoint::open(from, {.weights = false}), to, exact), to, pool);
}

Verification compared(const std::string& a, const std::string& b) {
  return verify(*Checkpoint::open(a), *Checkpoint::open(b), {.tokens = 12, .greedy = 4, .work = {.threads = 2}});
}

/// Sizes that all families share.
struct Sizes {
  int64_t kv, heads, head, width, vocab, hidden;
  explicit Sizes(Random& r)
      : kv(r.between(1, 2)),
        heads(kv * r.between(1, 2)),
        head(4 * r.between(1, 2)),
        width(heads * head),
        vocab(r.between(9, 20)),
        hidden(r.between(5, 12)) {}
  Json keys(const char* type) const {
    return {{"model_type", type},
            {"vocab_size", vocab},
            {"hidden_size", width},
            {"intermediate_size", hidden},
            {"num_attention_heads", heads},
            {"num_key_value_heads", kv},
            {"head_dim", head},
            {"max_position_embeddings", 128}};
  }
};

Json layers_of(Random& r, std::vector<std::string> kinds) {
  Json all = Json::array();
  for (const std::string& kind : kinds) all.push_back(kind);  // each once, then some more
  for (int64_t i = r.between(0, 2); i > 0; --i) all.push_back(kinds[r.below(kinds.size())]);
  return all;
}

Json lfm2(Random& r) {
  Json keys = Sizes(r).keys("lfm2");
  keys.update({{"layer_types", layers_of(r, {"conv", "full_attention"})},
               {"conv_L_cache", r.between(2, 4)},
               {"norm_eps", 1e-4},
               {"block_auto_adjust_ff_dim", r.below(2) == 0},
               {"block_multiple_of", r.between(1, 8)},
               {"block_ffn_dim_multiplier", 1.3},
               {"rope_theta", 5000.0}});
  return keys.erase("head_dim"), keys["num_hidden_layers"] = keys["layer_types"].size(), keys;
}

Json glm4(Random& r) {
  Json keys = Sizes(r).keys("glm4");
  keys.update({{"num_hidden_layers", r.between(1, 2)},
               {"attention_bias", r.below(2) == 0},
               {"partial_rotary_factor", 0.5},
               {"rms_norm_eps", 1e-4},
               {"tie_word_embeddings", r.below(2) == 0}});
  return keys;
}

Json falcon_mamba(Random& r) {
  return {{"model_type", "falcon_mamba"},      {"vocab_size", r.between(9, 20)},
          {"hidden_size", r.between(3, 12)},   {"num_hidden_layers", r.between(1, 2)},
          {"state_size", r.between(2, 6)},     {"conv_kernel", r.between(2, 4)},
          {"time_step_rank", r.between(1, 4)}, {"tie_word_embeddings", r.below(2) == 0}};
}

/// Mamba-2's sizes in `width` times two channels, by the names that `spelled` gives them.
Json scan_sizes(Random& r, int64_t width) {
  const int64_t heads = width % 2 == 0 && r.below(2) == 0 ? 4 : 2, groups = r.between(1, 2);
  return {{"mamba_n_heads", heads},
          {"mamba_n_groups", groups},
          {"mamba_d_head", 2 * width / heads},
          {"mamba_d_state", r.between(2, 6)},
          {"mamba_d_conv", r.between(2, 4)}};
}

Json mamba2(Random& r) {
  const int64_t width = 2 * r.between(2, 6);
  Json keys = scan_sizes(r, width);
  keys.update({{"model_type", "mamba2"},
               {"vocab_size", r.between(9, 20)},
               {"hidden_size", width},
               {"num_hidden_layers", r.between(1, 2)},
               {"layer_norm_epsilon", 1e-4},
               {"tie_word_embeddings", r.below(2) == 0}});
  return keys;
}

Json granite_hybrid(Random& r) {
  Json keys = Sizes(r).keys("granitemoehybrid");
  keys.update(scan_sizes(r, keys["hidden_size"]));
  const int64_t experts = 3 * static_cast<int64_t>(r.below(2));
  const std::vector<std::string> attending = {"full_attention"}, both = {"linear_attention", "full_attention"};
  keys.update({{"layer_types", layers_of(r, both)},
               {"num_local_experts", experts},
               {"num_experts_per_tok", 2},
               {"shared_intermediate_size", r.between(4, 9)},
               {"position_embedding_type", r.below(2) == 0 ? "rope" : "nope"},
               {"attention_bias", r.below(2) == 0},
               {"embedding_multiplier", 3.0},
               {"residual_multiplier", 0.4},
               {"attention_multiplier", 0.2},
               {"logits_scaling", 2.0},
               {"tie_word_embeddings", r.below(2) == 0}});
  if (r.below(3) == 0) keys["layer_types"] = layers_of(r, attending), keys["position_embedding_type"] = "rope";
  return keys.erase("head_dim"), keys["num_hidden_layers"] = keys["layer_types"].size(), keys;
}

/// Layers of Mamba-2, attention and one kind of hidden units.
Json nemotron_h(Random& r) {
  Json keys = Sizes(r).keys("nemotron_h");
  keys.update(scan_sizes(r, keys["hidden_size"]));
  const bool sparse = r.below(2) == 0;
  keys.update({{"layers_block_type", layers_of(r, {"linear_attention", "full_attention", sparse ? "moe" : "mlp"})},
               {"num_local_experts", 4},
               {"num_experts_per_tok", 2},
               {"n_shared_experts", 1},
               {"moe_intermediate_size", r.between(3, 8)},
               {"moe_shared_expert_intermediate_size", r.between(3, 8)},
               {"routed_scaling_factor", 1.7},
               {"mlp_bias", !sparse && r.below(2) == 0},
               {"layer_norm_epsilon", 1e-4}});
  if (sparse && r.below(2) == 0) keys["moe_latent_size"] = 6;
  return keys;
}

Json qwen3_next(Random& r) {
  Json keys = Sizes(r).keys("qwen3_next");
  const int64_t key_heads = r.between(1, 2), size = r.between(3, 6);
  keys.update({{"layer_types", layers_of(r, {"linear_attention", "full_attention"})},
               {"head_dim", 8},  // a quarter turns
               {"linear_conv_kernel_dim", r.between(2, 4)},
               {"linear_key_head_dim", size},
               {"linear_value_head_dim", size},
               {"linear_num_key_heads", key_heads},
               {"linear_num_value_heads", key_heads * r.between(1, 2)},
               {"num_experts", 3},
               {"num_experts_per_tok", 2},
               {"moe_intermediate_size", r.between(3, 8)},
               {"shared_expert_intermediate_size", r.between(3, 8)}});
  return keys["num_hidden_layers"] = keys["layer_types"].size(), keys;
}

/// EXAONE MoE and Solar Open: experts chosen as DeepSeek-V3 chooses.
Json sigmoid_experts(Random& r, const char* type) {
  Json keys = Sizes(r).keys(type);
  const int64_t layers = r.between(2, 4), groups = r.between(1, 2);
  keys.update({{"num_hidden_layers", layers},
               {"num_experts_per_tok", 2},
               {"moe_intermediate_size", r.between(3, 8)},
               {"n_group", groups},
               {"topk_group", r.between(1, groups)},
               {"routed_scaling_factor", 1.7},
               {"norm_topk_prob", r.below(2) == 0},
               {"tie_word_embeddings", r.below(2) == 0},
               {"rms_norm_eps", 1e-4}});
  return keys;
}
Json solar_open(Random& r) {
  Json keys = sigmoid_experts(r, "solar_open");
  keys.update({{"n_routed_experts", 4}, {"n_shared_experts", r.between(1, 2)}, {"partial_rotary_factor", 0.5}});
  return keys;
}
Json exaone_moe(Random& r) {
  Json keys = sigmoid_experts(r, "exaone_moe");
  const int64_t layers = keys["num_hidden_layers"];
  keys.update({{"num_experts", 4},
               {"num_shared_experts", r.between(1, 2)},
               {"first_k_dense_replace", r.between(0, layers - 1)},
               {"sliding_window", 4}});
  for (int64_t i = 0; i < layers; ++i)
    keys["layer_types"].push_back(i % 2 == 0 ? "sliding_attention" : "full_attention");
  return keys;
}

Json granite_moe(Random& r) {
  Json keys = Sizes(r).keys("granitemoe");
  keys.update({{"num_hidden_layers", r.between(1, 2)},
               {"num_local_experts", r.between(2, 4)},
               {"num_experts_per_tok", r.between(1, 2)},
               {"embedding_multiplier", 3.0},
               {"residual_multiplier", 0.4},
               {"attention_multiplier", 0.2},
               {"logits_scaling", 2.0},
               {"tie_word_embeddings", r.below(2) == 0}});
  return keys.erase("head_dim"), keys;
}

Json rwkv(Random& r, const char* type) {
  const int64_t head = r.between(2, 5), heads = r.between(1, 3);
  Json keys = {{"model_type", type},
               {"vocab_size", r.between(9, 20)},
               {"hidden_size", head * heads},
               {"head_size", head},
               {"intermediate_size", r.between(5, 12)},
               {"layer_norm_epsilon", 1e-5},
               {"num_hidden_layers", r.between(1, 3)},
               {"tie_word_embeddings", false}};
  for (const char* rank : {"time_mix_extra_dim", "time_decay_extra_dim", "decay_low_rank_dim", "a_low_rank_dim",
                           "v_low_rank_dim", "gate_low_rank_dim"})
    keys[rank] = r.between(2, 5);
  return keys;
}
Json rwkv6(Random& r) { return rwkv(r, "rwkv6"); }
Json rwkv7(Random& r) { return rwkv(r, "rwkv7"); }

struct Family {
  const char* name;
  Json (*draw)(Random& r);
};

class GgufFamily : public testing::TestWithParam<Family> {};

TEST_P(GgufFamily, ThereAndBack) {
  Random r(test::seed());
  for (int round = 0; round < 4; ++round) {
    const test::TemporaryFolder folder;
    const Json keys = GetParam().draw(r);
    test::write_random_model(folder / "model", keys, r.bits());
    convert_to(folder / "model", folder / "there.gguf");
    convert_to(folder / "there.gguf", folder / "back");
    for (const std::string& to : {folder / "there.gguf", folder / "back"}) {
      const Verification v = compared(folder / "model", to);
      EXPECT_LE(v.largest_difference, 1e-5 * v.largest_logit) << keys.dump() << " " << to;
      for (const TensorDifference& t : v.tensors) EXPECT_LE(t.relative, 1e-6) << t.name << " " << keys.dump();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufFamily,
                         testing::Values(Family{"lfm2", lfm2}, Family{"glm4", glm4},
                                         Family{"falcon_mamba", falcon_mamba}, Family{"mamba2", mamba2},
                                         Family{"granite_hybrid", granite_hybrid}, Family{"nemotron_h", nemotron_h},
                                         Family{"qwen3_next", qwen3_next}, Family{"rwkv6", rwkv6},
                                         Family{"rwkv7", rwkv7}, Family{"solar_open", solar_open},
                                         Family{"exaone_moe", exaone_moe}, Family{"granite_moe", granite_moe}),
                         [](const auto& info) { return info.param.name; });

// Older files' names are read and no longer written.
TEST(GgufFamilies, FoldersHaveTransformersNames) {
  Random r(test::seed());
  const test::TemporaryFolder folder;
  test::write_random_model(folder / "model", mamba2(r), r.bits());
  convert_to(folder / "model", folder / "back");
  const auto back = open_source(folder / "back");
  EXPECT_TRUE(back->find("backbone.embeddings.weight"));
  EXPECT_FALSE(back->find("backbone.embedding.weight"));
}

/// Shape of a tensor of the model's GGUF; empty if there is none.
Shape64 shape_in(const Gguf& gguf, const std::string& name) {
  const StoredTensor* t = gguf.find(name);
  return t ? t->shape : Shape64{};
}

/// The model as GGUF, for its shapes.
struct Written {
  test::TemporaryFolder folder;
  Gguf gguf;
  explicit Written(const Json& keys) : gguf(made(folder, keys)) {}
  static std::string made(const test::TemporaryFolder& folder, const Json& keys) {
    test::write_random_model(folder / "model", keys, 1);
    convert_to(folder / "model", folder / "there.gguf");
    return folder / "there.gguf";
  }
  Shape64 operator[](const std::string& name) const { return shape_in(gguf, name); }
};

// llama.cpp checks shapes axis by axis; madang would read what is there either way.
TEST(GgufFamilies, ShapesAreThoseThatLlamaCppAsksFor) {
  Random r(test::seed());
  const auto number = [](const Json& keys, const char* key) { return keys.at(key).get<int64_t>(); };
  const Json scan = mamba2(r), delta = qwen3_next(r), finch = rwkv6(r), goose = rwkv7(r);
  const Written a(scan), b(delta), c(finch), d(goose);
  const int64_t heads = number(scan, "mamba_n_heads"), groups = number(scan, "mamba_n_groups");
  EXPECT_EQ(a["blk.0.ssm_a"], (Shape64{heads, 1}));
  EXPECT_EQ(a["blk.0.ssm_d"], (Shape64{heads, 1}));
  EXPECT_EQ(a["blk.0.ssm_norm.weight"], (Shape64{groups, 2 * number(scan, "hidden_size") / groups}));
  const int64_t keys = number(delta, "linear_num_key_heads") * number(delta, "linear_key_head_dim"),
                values = number(delta, "linear_num_value_heads") * number(delta, "linear_value_head_dim");
  EXPECT_EQ(b["blk.0.attn_qkv.weight"], (Shape64{2 * keys + values, number(delta, "hidden_size")}));
  EXPECT_EQ(b["blk.0.attn_gate.weight"], (Shape64{values, number(delta, "hidden_size")}));
  EXPECT_EQ(b["blk.0.ssm_a"], (Shape64{number(delta, "linear_num_value_heads")}));
  EXPECT_EQ(b["blk.0.ssm_in.weight"], Shape64{});
  const int64_t head = number(finch, "head_size"), width = number(finch, "hidden_size");
  EXPECT_EQ(c["blk.0.time_mix_first.weight"], (Shape64{width / head, head}));
  EXPECT_EQ(c["blk.0.time_mix_lerp_fused.weight"], (Shape64{5, 1, 1, width}));
  EXPECT_EQ(c["blk.0.time_mix_w2.weight"], (Shape64{5, width, number(finch, "time_mix_extra_dim")}));
  EXPECT_EQ(d["blk.0.time_mix_lerp_fused.weight"], (Shape64{6, 1, 1, number(goose, "hidden_size")}));
  // Asked for and never used: of the rates' rank.
  EXPECT_EQ(d["blk.0.time_mix_v1.weight"], (Shape64{number(goose, "a_low_rank_dim"), number(goose, "hidden_size")}));
}

// Files made before the parts were taken apart hold q, k, v and z of a head beside each other, as repositories do.
TEST(GgufFamilies, Qwen3NextIsReadInBothOrders) {
  Random r(test::seed());
  const test::TemporaryFolder folder;
  test::write_random_model(folder / "model", qwen3_next(r), 1);
  convert_to(folder / "model", folder / "new.gguf");
  const Gguf now(folder / "new.gguf");
  const auto repository = open_source(folder / "model");
  GgufWriter out(folder / "old.gguf");
  for (const GgufValue& value : now.values()) out.copy(value);
  std::vector<std::span<const uint8_t>> bytes;
  for (const StoredTensor& t : now.tensors()) {
    const size_t mixed = t.name.find(".attn_qkv.");
    if (t.name.find(".attn_gate.") != t.name.npos) continue;
    const StoredTensor* from = &t;
    std::string name = t.name;
    if (mixed != t.name.npos) {
      const std::string layer = t.name.substr(4, mixed - 4);
      from = repository->find("model.layers." + layer + ".linear_attn.in_proj_qkvz.weight");
      name = "blk." + layer + ".ssm_in.weight";
      ASSERT_NE(from, nullptr);
    }
    out.declare(name, *from->format, from->shape);
    bytes.push_back(from->bytes);
  }
  out.begin();
  for (const auto& b : bytes) out.write(b);
  out.finish();
  const Verification v = compared(folder / "new.gguf", folder / "old.gguf");
  EXPECT_EQ(v.verdict, Verdict::same);
  EXPECT_EQ(v.largest_difference, 0);
}

// Granite's one MLP is called otherwise where experts stand beside it.
TEST(GgufFamilies, GraniteNamesItsMlpByWhetherThereAreExperts) {
  Random r(test::seed());
  for (const int64_t experts : {0, 3}) {
    Json keys = granite_hybrid(r);
    keys["num_local_experts"] = experts;
    const Written there(keys);
    EXPECT_EQ(there["blk.0.ffn_up_shexp.weight"].empty(), experts == 0);
    EXPECT_EQ(there["blk.0.ffn_up.weight"].empty(), experts > 0);
    const bool hybrid = keys["layer_types"][0] == "linear_attention";
    EXPECT_EQ(there.gguf.architecture(), hybrid ? "granitehybrid" : "granitemoe");
    EXPECT_EQ(there.gguf.integer(std::string(there.gguf.architecture()) + ".expert_used_count", 0),
              experts > 0 ? 2 : 0);
  }
}

/// What is refused, by the name that the error gives it.
std::string refused(Json keys, const Json& changed) {
  const test::TemporaryFolder folder;
  keys.update(changed);
  test::write_random_model(folder / "model", keys, 1);
  try {
    convert_to(folder / "model", folder / "there.gguf");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Kind::unsupported) << e.what();
    EXPECT_FALSE(std::filesystem::exists(folder / "there.gguf"));
    return e.what();
  }
  return "nothing";
}

TEST(GgufFamilies, WhatLlamaCppHasNoPlaceForIsRefusedByName) {
  Random r(test::seed());
  const auto says = [](const std::string& text, const char* key) { return text.find(key) != text.npos; };
  EXPECT_PRED2(says, refused(lfm2(r), {{"conv_bias", true}}), "conv_bias");
  EXPECT_PRED2(says, refused(falcon_mamba(r), {{"use_conv_bias", false}}), "use_conv_bias");
  EXPECT_PRED2(says, refused(falcon_mamba(r), {{"expand", 3}}), "expand");
  EXPECT_PRED2(says, refused(falcon_mamba(r), {{"mixer_rms_eps", 1e-3}}), "mixer_rms_eps");
  EXPECT_PRED2(says, refused(mamba2(r), {{"mamba_proj_bias", true}}), "mamba_proj_bias");
  EXPECT_PRED2(says, refused(mamba2(r), {{"time_step_limit", {0.01, 0.1}}}), "time_step");
  EXPECT_PRED2(says, refused(nemotron_h(r), {{"layers_block_type", {"mlp", "moe", "full_attention"}}}), "layer_types");
  EXPECT_PRED2(says, refused(qwen3_next(r), {{"linear_value_head_dim", 11}}), "linear_value_head_dim");
  EXPECT_PRED2(says, refused(qwen3_next(r), {{"norm_topk_prob", false}}), "norm_topk_prob");
  Json mixed = exaone_moe(r);
  mixed.update({{"num_hidden_layers", 2},
                {"first_k_dense_replace", 1},
                {"layer_types", {"sliding_attention", "full_attention"}}});
  EXPECT_PRED2(says, refused(mixed, {{"mlp_layer_types", {"sparse", "dense"}}}), "mlp_layer_types");
}

}  // namespace
}  // namespace madang
