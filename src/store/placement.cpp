#include "store/placement.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "store/bounds.h"
#include "store/config_keys.h"

namespace madang {
namespace {

bool packs_both(Make make) {
  return make == expert_turned_even || make == expert_turned_odd || make == expert_turned_first ||
         make == expert_turned_second;
}
bool is_latent(Make make) { return make == latent_keys || make == latent_values; }

/// What this file can do again.
bool is_known(Make make) {
  static constexpr Make known[] = {nullptr, unpair, expert, transpose, expert_turned, log_negated};
  return std::ranges::find(known, make) != std::end(known) || packs_both(make) || is_latent(make);
}

struct Named {
  std::string stored;
  const Rule* rule = nullptr;
};

/// The first rule that says where a layout keeps the name. Repositories' rules with a rest, "model.{...}", or with the
/// name behind something, tell of prefixes that some have: what is written has none.
Named stored_name(const Rules& rules, Layout layout, const std::string& name) {
  std::vector<std::string> pieces;
  for (std::span<const Rule> table : rules.tables)
    for (const Rule& rule : table) {
      const bool prefixed =
          rule.name.find("{...}") != rule.name.npos || (!rule.make && rule.stored.ends_with(rule.name));
      if (layout == Layout::hugging_face && prefixed) continue;
      if (rule.stored.find(" + ") == rule.stored.npos && fits(rule.name, name, pieces))
        return {filled(rule.stored, pieces), &rule};
    }
  return {name, nullptr};
}

std::vector<int64_t> shape_of(const Placement& p, Layout layout) {
  std::vector<int64_t> shape = p.weights[0].shape;
  const auto n = static_cast<int64_t>(p.weights.size());
  const bool flat = shape.size() == 1;
  if (p.make == expert || p.make == expert_turned || packs_both(p.make)) {
    if (p.make != expert && !flat) std::swap(shape[0], shape[1]);
    if (packs_both(p.make)) shape.back() *= 2;
    shape.insert(shape.begin(), packs_both(p.make) ? n / 2 : n);
  } else if (p.make == transpose) {
    std::swap(shape[0], shape[1]);
  } else if (is_latent(p.make)) {  // keys of a head are [rank, nope], values [value, rank]
    shape = {0, p.weights[0].shape[0]};
    for (size_t i = 0; i < p.weights.size(); ++i) shape[0] += p.weights[i].shape[i % 2 == 0 ? 1 : 0];
  }
  // In repositories a convolution of every channel by itself has an axis for the one channel it sees.
  if (layout == Layout::hugging_face && p.name.ends_with("conv1d.weight")) shape.insert(shape.begin() + 1, 1);
  return shape;
}

/// Rows of q and k: halves of each head to neighbours.
std::vector<int64_t> paired_rows(int64_t rows, int64_t heads) {
  const int64_t head = rows / heads;
  std::vector<int64_t> order;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < head; ++i) order.push_back(h * head + (i % 2) * (head / 2) + i / 2);
  return order;
}

/// Rows of a fused q, k, v as the other layout has them: stacked[i] is grouped[order[i]].
std::vector<int64_t> stacked_rows(int64_t heads, int64_t kv_heads, int64_t head) {
  const int64_t each = heads / kv_heads, group = (each + 2) * head;
  std::vector<int64_t> order;
  for (int64_t part = 0; part < 3; ++part)  // q, k, v
    for (int64_t g = 0; g < kv_heads; ++g) {
      const int64_t begin = g * group + (part == 0 ? 0 : (each + part - 1) * head);
      for (int64_t i = 0; i < (part == 0 ? each : 1) * head; ++i) order.push_back(begin + i);
    }
  return order;
}

StoredTensor regrouped(const StoredTensor& t, const Config& config) {
  const int64_t heads = config.integer("num_attention_heads");
  int64_t kv_heads = config.integer("num_key_value_heads");
  if (config.has("multi_query") && !config.flag("new_decoder_architecture", false))  // Falcon 7B and RW
    kv_heads = config.flag("multi_query") ? 1 : heads;
  const std::vector<int64_t> order = stacked_rows(heads, kv_heads, config.integer("head_dim"));
  if (static_cast<int64_t>(order.size()) != t.shape[0])
    throw Error(Kind::mismatch, say("the rows of tensor {} do not divide into heads", shown(t.name)))
        .expected(std::to_string(order.size()))
        .found(t.shape_text());
  if (config.text("source_format") != "gguf") return rows_moved(t, order);
  std::vector<int64_t> back(order.size());
  for (size_t i = 0; i < order.size(); ++i) back[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
  return rows_moved(t, back);
}

template <class Change>
StoredTensor changed(const StoredTensor& t, Change change) {
  StoredTensor made = widened(t);
  auto* values = const_cast<float*>(reinterpret_cast<const float*>(made.bytes.data()));
  for (int64_t i = 0; i < made.numel(); ++i) values[i] = change(values[i]);
  return made;
}

/// Gate and up of one expert as gpt-oss (rows alternate) and Llama 4 (one above the other) keep them, turned.
StoredTensor both(const StoredTensor& gate, const StoredTensor& up, bool alternate) {
  const StoredTensor first = widened(gate), second = widened(up);
  StoredTensor t = first;
  const size_t row = first.bytes.size() / static_cast<size_t>(first.shape[0]);
  auto memory = std::make_shared_for_overwrite<uint8_t[]>(2 * first.bytes.size());
  const auto rows = static_cast<size_t>(first.shape[0]);
  for (size_t i = 0; i < rows; ++i) {
    std::memcpy(memory.get() + (alternate ? 2 * i : i) * row, first.bytes.data() + i * row, row);
    std::memcpy(memory.get() + (alternate ? 2 * i + 1 : rows + i) * row, second.bytes.data() + i * row, row);
  }
  t.bytes = {memory.get(), 2 * first.bytes.size()}, t.owner = memory, t.shape[0] *= 2;
  return t.shape.size() == 2 ? turned(t) : t;
}

StoredTensor one(const Placement& p, const Config& config, const StoredTensor& t) {
  if (p.make == unpair) return rows_moved(t, paired_rows(t.shape[0], p.heads));
  if (p.make == transpose || (p.make == expert_turned && t.shape.size() == 2)) return turned(t);
  if (p.make == log_negated) return changed(t, [](float x) { return -std::exp(x); });
  if (p.added != 0) return changed(t, [&](float x) { return x + p.added; });
  return p.regroup ? regrouped(t, config) : t;
}

}  // namespace

std::vector<Placement> placements(const std::vector<NamedShape>& weights, Layout layout, const Config& config) {
  const Rules rules = rules_of(layout, config.architecture());
  const bool from_gguf = config.text("source_format") == "gguf", to_gguf = layout == Layout::gguf;
  const double offset = to_gguf ? 0 : defaults_of(config.architecture()).value("rms_norm_offset", 0.0);
  const double added = config.real("rms_norm_offset", 0.0) - offset;
  std::vector<Placement> all;
  std::map<std::string, size_t> index;
  for (const NamedShape& w : weights) {
    const Named named = stored_name(rules, layout, w.name);
    if (to_gguf && !named.rule)
      throw Error(Kind::unsupported, say("GGUF has no name for the tensor {}", w.name))
          .at(config.where())
          .found(config.architecture());
    if (named.rule && !is_known(named.rule->make))
      throw Error(Kind::unsupported, say("weights of the architecture {} cannot be written yet", config.architecture()))
          .at(config.where())
          .found(w.name);
    const auto [found, is_new] = index.emplace(named.stored, all.size());
    if (is_new) {
      Placement p;
      p.name = named.stored;
      if (named.rule) p.make = named.rule->make;
      if (p.make == unpair) p.heads = config.integer(named.rule->key);
      if (w.name.ends_with("norm.weight")) p.added = static_cast<float>(added);
      p.regroup = from_gguf != to_gguf && w.name.find(".query_key_value.") != w.name.npos;
      all.push_back(std::move(p));
    }
    all[found->second].weights.push_back(w);
  }
  for (Placement& p : all) p.shape = shape_of(p, layout);
  return all;
}

bool moves_rows_only(const Placement& p) {
  return p.added == 0 && (p.make == nullptr || p.make == unpair || p.make == expert);
}

void put_together(const Placement& p, const Config& config, const GetWeight& get_stored,
                  const std::function<void(const StoredTensor&)>& take) {
  const GetWeight get = [&](const NamedShape& w) {
    const StoredTensor t = get_stored(w);
    return t.order ? widened(t) : t;  // columns that lie in an order of their own
  };
  if (is_latent(p.make)) {
    for (size_t i = 0; i < p.weights.size(); ++i)
      take(i % 2 == 0 ? turned(widened(get(p.weights[i]))) : widened(get(p.weights[i])));
    return;
  }
  if (!packs_both(p.make)) {
    for (const NamedShape& w : p.weights) take(one(p, config, get(w)));
    return;
  }
  std::vector<const NamedShape*> gates, ups;
  for (const NamedShape& w : p.weights) (w.name.find(".gate_proj.") != w.name.npos ? gates : ups).push_back(&w);
  for (size_t e = 0; e < std::min(gates.size(), ups.size()); ++e)
    take(both(get(*gates[e]), get(*ups[e]), p.make == expert_turned_even || p.make == expert_turned_odd));
}

}  // namespace madang
