#include "compress/recipe.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/nearest.h"

namespace madang {
namespace {

const Format& named(std::string_view name) { return *format_by_name(name); }

enum class Part { output, embedding, qkv, value, key, query, attention_out, down, gate, up, other };

Part part_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Part> ends[] = {
      {"output.weight", Part::output},
      {"token_embd.weight", Part::embedding},
      {"per_layer_token_embd.weight", Part::embedding},
      {"attn_qkv.weight", Part::qkv},
      {"attn_kv_b.weight", Part::value},
      {"attn_v.weight", Part::value},
      {"attn_k.weight", Part::key},
      {"attn_q.weight", Part::query},
      {"attn_output.weight", Part::attention_out},
  };
  for (const auto& [end, part] : ends)
    if (name.ends_with(end) && (end != "output.weight" || name == end)) return part;
  if (name.find("ffn_down") != name.npos) return Part::down;
  if (name.find("ffn_gate") != name.npos) return Part::gate;
  if (name.find("ffn_up") != name.npos) return Part::up;
  return Part::other;
}

// N of "blk.N."; -1 outside the layers.
int64_t layer_of(std::string_view name) {
  int64_t layer = -1;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

// The first and last eighth of the layers, and every third between.
bool more_bits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// The rules, one question at a time. `r` is the recipe's name.
class Rules {
 public:
  Rules(const QuantizeRecipe& recipe, const ModelFacts& facts, int64_t layer)
      : r_(recipe.name), base_(recipe.base), facts_(facts), layer_(layer) {}

  std::string_view choose(Part part) const {
    if (base_ == "MXFP4") return "Q8_0";  // experts were asked for before
    if (part == Part::output || (part == Part::embedding && facts_.tied)) return output();
    if (part == Part::embedding) return embedding();
    if (tiny()) return tiny(part);
    switch (part) {
      case Part::qkv:
      case Part::value:
        return part == Part::qkv ? qkv() : value();
      case Part::key:
        return facts_.experts == 8 ? "Q8_0" : key_or_query();
      case Part::query:
        return key_or_query();
      case Part::attention_out:
        return attention_out();
      case Part::down:
        return down();
      case Part::gate:
      case Part::up:
        return r_ == "IQ3_XS" && layer_ >= facts_.layers / 8 && layer_ < 7 * facts_.layers / 8 ? "IQ3_XXS" : base_;
      default:
        return base_;
    }
  }

 private:
  bool is(std::initializer_list<std::string_view> names) const { return std::ranges::find(names, r_) != names.end(); }
  bool tiny() const { return is({"IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ1_S", "IQ1_M"}); }
  bool early() const { return layer_ < facts_.layers / 8; }
  bool more() const { return more_bits(layer_, facts_.layers); }
  bool falcon() const { return facts_.architecture == "falcon"; }
  bool shared_keys() const { return facts_.queries_per_key >= 4; }

  std::string_view output() const {
    if (base_ == "Q8_0" || falcon()) return "Q8_0";
    return tiny() || r_ == "IQ3_XXS" ? "Q5_K" : "Q6_K";
  }
  std::string_view embedding() const {
    if (is({"IQ2_XXS", "IQ2_XS", "IQ1_S", "IQ1_M"})) return "Q2_K";
    if (is({"IQ2_S", "IQ2_M", "IQ3_XXS"})) return "IQ3_S";
    return base_.starts_with("TQ") ? "Q4_K" : base_;
  }
  std::string_view tiny(Part part) const {
    const bool larger = is({"IQ2_S", "IQ2_M"});
    if (part == Part::value || part == Part::qkv)
      return shared_keys() || facts_.experts >= 4 ? "Q4_K" : larger ? "IQ3_S" : "Q2_K";
    if (part == Part::key && facts_.experts == 8) return "Q4_K";
    if (part == Part::down && early()) return larger ? "IQ3_S" : "Q2_K";
    if (part == Part::attention_out) {
      if (facts_.experts == 8) return "Q5_K";
      if (is({"IQ1_S", "IQ1_M"})) return "IQ2_XXS";
      if (larger) return "IQ3_S";
    }
    return base_;
  }
  std::string_view value() const {
    if (facts_.experts == 8) return "Q8_0";
    if (r_ == "Q2_K") return shared_keys() ? "Q4_K" : "Q3_K";
    if (is({"Q2_K_S", "IQ3_XS", "IQ3_S"}) && shared_keys()) return "Q4_K";
    if (r_ == "IQ3_XXS") return shared_keys() ? "Q4_K" : facts_.importance ? "IQ3_XXS" : "IQ3_S";
    if (r_ == "IQ3_M") return "Q4_K";
    if (r_ == "Q3_K_M") return layer_ < 2 ? "Q5_K" : "Q4_K";
    if (r_ == "Q3_K_L") return "Q5_K";
    if (is({"IQ4_NL", "IQ4_XS"}) && shared_keys()) return "Q5_K";
    if (is({"Q4_K_M", "Q5_K_M"}) && more()) return "Q6_K";
    if (r_ == "Q4_K_S" && layer_ < 4) return "Q5_K";
    return base_;
  }
  std::string_view qkv() const {
    if (is({"Q3_K_M", "Q3_K_L", "IQ3_M"})) return "Q4_K";
    if (is({"Q4_K_M"})) return "Q5_K";
    if (is({"Q5_K_M"})) return "Q6_K";
    return value();
  }
  std::string_view key_or_query() const { return r_ == "IQ3_XS" ? "IQ3_XXS" : r_ == "IQ3_XXS" ? "IQ2_S" : base_; }
  std::string_view attention_out() const {
    if (falcon()) return r_ == "Q3_K_L" ? "Q4_K" : base_;
    if (facts_.experts == 8)
      return is({"Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL", "Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M",
                 "IQ4_XS"})
                 ? "Q5_K"
                 : base_;
    if (r_ == "Q2_K") return "Q3_K";
    if (r_ == "IQ3_XXS") return "IQ3_S";
    if (is({"Q3_K_M", "IQ3_M"})) return "Q4_K";
    return r_ == "Q3_K_L" ? "Q5_K" : base_;
  }
  std::string_view down() const {
    if (r_ == "Q2_K") return "Q3_K";
    if (r_ == "Q2_K_S") return early() ? "Q4_K" : base_;
    if (r_ == "IQ3_XXS" && !facts_.importance) return early() ? "Q4_K" : "Q3_K";
    if (r_ == "Q3_K_M") return layer_ < facts_.layers / 16 ? "Q5_K" : !falcon() || more() ? "Q4_K" : "Q3_K";
    if (r_ == "IQ3_M" && (early() || (facts_.experts == 8 && more()))) return "Q4_K";
    if (r_ == "Q3_K_L") return falcon() ? "Q4_K" : "Q5_K";
    if (r_ == "Q4_K_M" && falcon()) return layer_ < facts_.layers / 16 ? "Q6_K" : more() ? "Q5_K" : "Q4_K";
    if (is({"Q4_K_M", "Q5_K_M"})) return more() ? "Q6_K" : base_;
    if (is({"IQ4_NL", "IQ4_XS"}) && early() && !facts_.importance) return "Q5_K";
    if (r_ == "Q4_K_S" && !falcon() && early()) return "Q5_K";
    // With an importance matrix the first of these can lose their few large values.
    if (is({"Q4_0", "Q5_0"}) && facts_.importance && early()) return r_ == "Q4_0" ? "Q4_1" : "Q5_1";
    return base_;
  }

  std::string_view r_, base_;
  const ModelFacts& facts_;
  int64_t layer_;
};

}  // namespace

std::span<const QuantizeRecipe> recipes() {
  static const QuantizeRecipe table[] = {
      {"F32", "F32", 0, say("32 bits: everything as it is")},
      {"F16", "F16", 1, say("16 bits")},
      {"BF16", "BF16", 32, say("16 bits, the range of float32")},
      {"Q8_0", "Q8_0", 7, say("8.5 bits: no loss that can be seen")},
      {"Q6_K", "Q6_K", 18, say("6.6 bits")},
      {"Q5_K_M", "Q5_K", 17, say("5.7 bits")},
      {"Q5_K_S", "Q5_K", 16, say("5.5 bits")},
      {"Q5_1", "Q5_1", 9, say("6 bits")},
      {"Q5_0", "Q5_0", 8, say("5.5 bits")},
      {"Q4_K_M", "Q4_K", 15, say("4.8 bits: the usual choice")},
      {"Q4_K_S", "Q4_K", 14, say("4.6 bits")},
      {"Q4_1", "Q4_1", 3, say("5 bits")},
      {"Q4_0", "Q4_0", 2, say("4.5 bits")},
      {"IQ4_NL", "IQ4_NL", 25, say("4.5 bits, levels not evenly spaced")},
      {"IQ4_XS", "IQ4_XS", 30, say("4.3 bits, levels not evenly spaced")},
      {"Q3_K_L", "Q3_K", 13, say("4.3 bits")},
      {"Q3_K_M", "Q3_K", 12, say("3.9 bits")},
      {"Q3_K_S", "Q3_K", 11, say("3.4 bits")},
      {"IQ3_M", "IQ3_S", 27, say("3.7 bits, better with an importance matrix")},
      {"IQ3_S", "IQ3_S", 26, say("3.4 bits, better with an importance matrix")},
      {"IQ3_XS", "IQ3_S", 22, say("3.3 bits, better with an importance matrix")},
      {"IQ3_XXS", "IQ3_XXS", 23, say("3.1 bits, better with an importance matrix")},
      {"Q2_K", "Q2_K", 10, say("3 bits")},
      {"Q2_K_S", "Q2_K", 21, say("2.7 bits, better with an importance matrix")},
      {"IQ2_M", "IQ2_S", 29, say("2.7 bits, better with an importance matrix")},
      {"IQ2_S", "IQ2_XS", 28, say("2.5 bits, needs an importance matrix")},
      {"IQ2_XS", "IQ2_XS", 20, say("2.3 bits, needs an importance matrix")},
      {"IQ2_XXS", "IQ2_XXS", 19, say("2.1 bits, needs an importance matrix")},
      {"IQ1_M", "IQ1_M", 31, say("1.8 bits, needs an importance matrix")},
      {"IQ1_S", "IQ1_S", 24, say("1.6 bits, needs an importance matrix")},
      {"TQ2_0", "TQ2_0", 37, say("2.1 bits, for models trained with three values")},
      {"TQ1_0", "TQ1_0", 36, say("1.7 bits, for models trained with three values")},
      {"MXFP4", "MXFP4", 38, say("4.3 bits for experts, 8.5 for the rest")},
  };
  return table;
}

const QuantizeRecipe& recipe_by_name(std::string_view name) {
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  if (upper == "MXFP4_MOE") upper = "MXFP4";
  for (const QuantizeRecipe& r : recipes())
    if (r.name == upper) return r;
  std::vector<std::string_view> names;
  for (const QuantizeRecipe& r : recipes()) names.push_back(r.name);
  throw Error(Kind::usage, say("there is no quantization named {}", name))
      .hint(say("did you mean {}?", nearest(upper, names)));
}

ModelFacts facts_of(const GgufDraft& draft) {
  const Gguf& model = *draft.metadata;
  ModelFacts facts;
  facts.architecture = std::string(model.architecture());
  const std::string prefix = facts.architecture + ".";
  facts.layers = model.integer(prefix + "block_count", 0);
  facts.experts = model.integer(prefix + "expert_count", 0);
  auto first = [&](const char* name) {
    const auto values = model.integers(prefix + name);
    return values.empty() ? int64_t{0} : values.front();
  };
  const int64_t heads = first("attention.head_count"), kv_heads = first("attention.head_count_kv");
  facts.queries_per_key = kv_heads > 0 ? heads / kv_heads : 1;
  facts.tied = std::ranges::find(draft.tensors, "output.weight", &DraftTensor::name) == draft.tensors.end();
  return facts;
}

bool is_quantized(const DraftTensor& tensor) {
  const std::string_view name = tensor.name;
  if (tensor.shape.size() < 2 || !name.ends_with("weight")) return false;
  for (std::string_view part :
       {"_norm.",       "ffn_gate_inp.",   "ssm_conv1d.",   "shortconv.",       "position_embd.", "token_types.",
        "attn_rel_b.",  "time_mix_first.", "time_mix_lerp", "time_mix_decay_w", "time_mix_w0.",   "time_mix_w1.",
        "time_mix_w2.", "time_mix_v0.",    "time_mix_v1.",  "time_mix_v2.",     "time_mix_a0.",   "time_mix_a1.",
        "time_mix_a2.", "time_mix_g1.",    "time_mix_g2."})
    if (name.find(part) != name.npos) return false;
  return true;
}

const Format& fitting_format(const Format& wanted, int64_t cols) {
  if (cols % wanted.block == 0) return wanted;
  static constexpr std::pair<std::string_view, std::string_view> fallbacks[] = {
      {"IQ1_S", "IQ4_NL"},   {"IQ1_M", "IQ4_NL"}, {"IQ2_XXS", "IQ4_NL"}, {"IQ2_XS", "IQ4_NL"}, {"IQ2_S", "IQ4_NL"},
      {"IQ3_XXS", "IQ4_NL"}, {"IQ3_S", "IQ4_NL"}, {"IQ4_XS", "IQ4_NL"},  {"Q2_K", "Q4_0"},     {"Q3_K", "Q4_0"},
      {"TQ1_0", "Q4_0"},     {"TQ2_0", "Q4_0"},   {"Q4_K", "Q5_0"},      {"Q5_K", "Q5_1"},     {"Q6_K", "Q8_0"},
  };
  for (const auto& [from, to] : fallbacks)
    if (from == wanted.name && cols % named(to).block == 0) return named(to);
  return f16_format;
}

const Format& choose_format(const QuantizeRecipe& recipe, const ModelFacts& facts, const DraftTensor& tensor) {
  const Format& base = named(recipe.base);
  if (base.group == 0) return base;
  const int64_t cols = tensor.shape.back();
  const Part part = part_of(tensor.name);
  if (recipe.base == "MXFP4" && tensor.shape.size() == 3 && tensor.shape[0] > 1) return fitting_format(base, cols);
  const bool head = part == Part::output || (part == Part::embedding && facts.tied);
  if (head && cols % base.block != 0) return fitting_format(named("Q8_0"), cols);
  return fitting_format(named(Rules(recipe, facts, layer_of(tensor.name)).choose(part)), cols);
}

}  // namespace madang
