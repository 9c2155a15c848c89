// Where peft looks for a layer's matrix. Modules are called as transformers calls them: as the architecture's
// repositories name tensors, for which its rules hold, except that experts have become one tensor a kind. And where an
// adapter in GGUF keeps it: by the rules of GGUF files.
#include <charconv>

#include "store/adapter.h"
#include "store/adapter_gguf.h"
#include "store/rules.h"

namespace madang {
namespace {

std::string without_weight(std::string name) {
  constexpr std::string_view ending = ".weight";
  if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  return name;
}

// A slice of kv_b_proj: keys or values of one head.
AdapterPlace latent_place(std::string module, const Config& config, int64_t head, bool values) {
  const int64_t nope = config.integer("qk_nope_head_dim"), value = config.integer("v_head_dim");
  return {.module = std::move(module),
          .begin = head * (nope + value) + (values ? nope : 0),
          .out = config.integer("num_attention_heads") * (nope + value),
          .turned = !values};
}

// model.layers.0.mlp.experts.3.up_proj: rows of expert 3 in gate_up_proj of model.layers.0.mlp.experts.
void add_experts(const std::string& layer, int64_t rows, const Config& config, std::vector<AdapterPlace>& places) {
  constexpr std::string_view mark = ".experts.";
  const size_t at = layer.find(mark);
  if (at == std::string::npos) return;
  const size_t digits = at + mark.size(), dot = layer.find('.', digits);
  if (dot == std::string::npos) return;
  int64_t expert = -1;
  const auto [end, fault] = std::from_chars(layer.data() + digits, layer.data() + dot, expert);
  if (fault != std::errc() || end != layer.data() + dot) return;
  const std::string leaf = layer.substr(dot + 1);
  const bool gate = leaf == "gate_proj" || leaf == "w1", up = leaf == "up_proj" || leaf == "w3";
  AdapterPlace place{.module = layer.substr(0, digits - 1),
                     .parameter = gate || up ? "gate_up_proj" : "down_proj",
                     .expert = expert,
                     .begin = up ? rows : 0,
                     .out = gate || up ? 2 * rows : rows,
                     .alternate = (gate || up) && config.architecture() == "gpt_oss"};
  places.push_back(place);
  constexpr std::string_view before = "block_sparse_moe";
  if (const size_t old = place.module.find(before); old != std::string::npos) {
    place.module.replace(old, before.size(), "mlp");
    places.push_back(place);
  }
}

int64_t last_piece(const std::vector<std::string>& pieces) {
  int64_t n = -1;
  if (!pieces.empty()) std::from_chars(pieces.back().data(), pieces.back().data() + pieces.back().size(), n);
  return n;
}

}  // namespace

std::vector<AdapterPlace> adapter_places(const std::string& layer, int64_t rows, const Config& config) {
  std::vector<AdapterPlace> places;
  std::vector<std::string> pieces;
  const Rules rules = rules_of(Layout::hugging_face, config.architecture());
  for (std::span<const Rule> table : rules.tables)
    for (const Rule& rule : table) {
      if (!fits(rule.name, layer + ".weight", pieces)) continue;
      const std::string module = without_weight(filled(rule.stored, pieces));
      if (rule.make == latent_keys || rule.make == latent_values)
        places.push_back(latent_place(module, config, last_piece(pieces), rule.make == latent_values));
      else if (rule.make == upper_rows || rule.make == lower_rows)
        places.push_back({.module = module, .begin = rule.make == lower_rows ? rows : 0, .out = 2 * rows});
      else if (!rule.make || rule.make == transpose)
        places.push_back({.module = module});
    }
  places.push_back({.module = layer});
  add_experts(layer, rows, config, places);
  return places;
}

std::vector<GgufPlace> gguf_adapter_places(const std::string& layer, int64_t rows, const Config& config) {
  std::vector<GgufPlace> places;
  std::vector<std::string> pieces;
  for (std::span<const Rule> table : rules_of(Layout::gguf, config.architecture()).tables)
    for (const Rule& rule : table) {
      if (!fits(rule.name, layer + ".weight", pieces)) continue;
      AdapterPlace place{.module = filled(rule.stored, pieces)};
      if (rule.make == latent_keys || rule.make == latent_values)
        place = latent_place(place.module, config, last_piece(pieces), rule.make == latent_values);
      else if (rule.make == expert)
        place.expert = last_piece(pieces);
      else if (rule.make == first_of_heads || rule.make == second_of_heads)
        place.out = 2 * rows;
      else if (rule.make && rule.make != unpair)
        continue;
      places.push_back({place, &rule, pieces});
    }
  return places;
}

}  // namespace madang
