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
bool halves_experts(Make make) { return make == expert_upper || make == expert_lower; }
bool halves_rows(Make make) { return make == upper_rows || make == lower_rows; }
bool halves_heads(Make make) { return make == first_of_heads || make == second_of_heads; }
bool is_latent(Make make) { return make == latent_keys || make == latent_values; }

/// What this file can do again.
bool is_known(Make make) {
  static constexpr Make known[] = {nullptr,     unpair, expert,    transpose,   expert_turned,
                                   log_negated, flat,   flat_rows, by_key_heads};
  return std::ranges::find(known, make) != std::end(known) || packs_both(make) || is_latent(make) ||
         halves_experts(make) || halves_rows(make) || halves_heads(make);
}

struct Named {
  std::string stored;
  const Rule* rule = nullptr;
};

/// The first rule that says where a layout keeps the name. Repositories' rules with a rest, "model.{...}", or with the
/// name behind something, tell of prefixes that some have: what is written has none.
Named stored_name(const Rules& rules, Layout layout, const Config& config, const std::string& name) {
  std::vector<std::string> pieces;
  for (std::span<const Rule> table : rules.tables)
    for (const Rule& rule : table) {
      const bool prefixed =
          rule.name.find("{...}") != rule.name.npos || (!rule.make && rule.stored.ends_with(rule.name));
      if (rule.old || (layout == Layout::hugging_face && prefixed)) continue;
      if (!rule.unless_zero.empty() && config.integer(rule.unless_zero, 0) == 0) continue;
      const bool apart = rule.stored.find(" + ") != rule.stored.npos && rule.make != by_key_heads;
      if (!apart && fits(rule.name, name, pieces)) return {filled(rule.stored, pieces), &rule};
    }
  return {name, nullptr};
}

std::vector<int64_t> shape_of(const Placement& p, Layout layout) {
  std::vector<int64_t> shape = p.weights[0].shape;
  const auto n = static_cast<int64_t>(p.weights.size());
  const bool vector = shape.size() == 1;
  if (p.make == expert || p.make == expert_turned || packs_both(p.make)) {
    if (p.make != expert && !vector) std::swap(shape[0], shape[1]);
    if (packs_both(p.make)) shape.back() *= 2;
    shape.insert(shape.begin(), packs_both(p.make) ? n / 2 : n);
  } else if (halves_experts(p.make)) {
    shape[0] *= 2, shape.insert(shape.begin(), n / 2);
  } else if (halves_rows(p.make) || halves_heads(p.make)) {
    shape[0] *= n;
  } else if (p.count > 0 && (p.make == flat || p.make == log_negated)) {
    shape = {p.count, p.weights[0].numel() / p.count};
  } else if (p.count > 0 && p.make == flat_rows) {
    shape = {p.weights[0].numel() / p.count, p.count};
  } else if (p.make == by_key_heads) {
    shape[0] = p.rows;
  } else if (p.make == transpose) {
    std::swap(shape[0], shape[1]);
  } else if (is_latent(p.make)) {  // keys of a head are [rank, nope], values [value, rank]
    shape = {0, p.weights[0].shape[0]};
    for (size_t i = 0; i < p.weights.size(); ++i) shape[0] += p.weights[i].shape[i % 2 == 0 ? 1 : 0];
  }
  // llama.cpp spreads the shares of RWKV's mixtures over tokens and sequences: axes of one.
  if (p.name.ends_with(".time_mix_lerp_fused.weight")) shape = {n, 1, 1, p.weights[0].numel()};
  // In repositories a convolution of every channel by itself has an axis for the one channel it sees.
  if (layout == Layout::hugging_face && (p.name.ends_with("conv1d.weight") || p.name.ends_with(".conv.conv.weight")))
    shape.insert(shape.begin() + 1, 1);
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

/// Of each head the rows of the first, then those of the second: queries and their gates.
StoredTensor head_by_head(const StoredTensor& first, const StoredTensor& second, int64_t heads) {
  const int64_t rows = first.shape[0], head = rows / heads;
  std::vector<int64_t> order;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < 2 * head; ++i) order.push_back(i < head ? h * head + i : rows + h * head + i - head);
  const StoredTensor* const parts[] = {&first, &second};
  return rows_moved(one_under_other(parts), order);
}

StoredTensor one(const Placement& p, const Config& config, const StoredTensor& t) {
  if (p.make == unpair) return rows_moved(t, paired_rows(t.shape[0], p.count));
  if (p.make == by_key_heads) {
    const std::vector<int64_t> order = rows_by_key_heads(config);
    return rows_moved(t, {order.begin() + p.begin, order.begin() + p.begin + p.rows});
  }
  if (p.make == transpose || (p.make == expert_turned && t.shape.size() == 2)) return turned(t);
  if (p.make == log_negated) return changed(t, [](float x) { return -std::exp(x); });
  if (p.added != 0) return changed(t, [&](float x) { return x + p.added; });
  return p.regroup ? regrouped(t, config) : t;
}

/// What GGUF keeps as two tensors of one weight: q, k and v of Qwen3-Next's linear layers, and z.
void take_apart(std::vector<Placement>& all, const Config& config) {
  std::vector<Placement> apart;
  for (Placement& p : all) {
    apart.push_back(p);
    const size_t plus = p.name.find(" + ");
    if (plus == p.name.npos) continue;
    const int64_t z = config.integer("linear_num_value_heads") * config.integer("linear_value_head_dim"),
                  mixed = p.weights[0].shape[0] - z;
    apart.back().name = p.name.substr(0, plus), apart.back().rows = mixed;
    apart.push_back(p);
    apart.back().name = p.name.substr(plus + 3), apart.back().begin = mixed, apart.back().rows = z;
  }
  all = std::move(apart);
}

/// RWKV-7's first layer mixes its values with nothing; llama.cpp asks for the weights all the same, of the rates'
/// shape.
void add_first_values(std::vector<Placement>& all, const Config& config) {
  if (config.architecture() != "rwkv7") return;
  for (size_t i = 0, n = all.size(); i < n; ++i)
    if (constexpr std::string_view rates = "blk.0.time_mix_a"; all[i].name.starts_with(rates)) {
      Placement p = all[i];
      p.name.replace(0, rates.size(), "blk.0.time_mix_v");
      all.push_back(std::move(p));
    }
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
    const Named named = stored_name(rules, layout, config, w.name);
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
      if (named.rule && !named.rule->key.empty()) p.count = config.integer(named.rule->key);
      // Qwen3-Next's linear layers have a norm whose weight stands for itself.
      if (w.name.ends_with("norm.weight") && !w.name.ends_with("linear_attn.norm.weight"))
        p.added = static_cast<float>(added);
      p.regroup = from_gguf != to_gguf && w.name.find(".query_key_value.") != w.name.npos;
      all.push_back(std::move(p));
    }
    std::vector<NamedShape>& together = all[found->second].weights;
    const bool first = named.rule && (named.rule->make == upper_rows || named.rule->make == first_of_heads);
    together.insert(first ? together.begin() : together.end(), w);
  }
  if (to_gguf) take_apart(all, config), add_first_values(all, config);
  for (Placement& p : all) p.shape = shape_of(p, layout);
  return all;
}

bool moves_rows_only(const Placement& p) {
  return p.added == 0 && (p.make == nullptr || p.make == unpair || p.make == expert || p.make == first_of_heads);
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
  if (halves_heads(p.make)) return take(head_by_head(get(p.weights.at(0)), get(p.weights.at(1)), p.count));
  if (!packs_both(p.make) && !halves_experts(p.make)) {
    for (const NamedShape& w : p.weights) take(one(p, config, get(w)));
    return;
  }
  std::vector<const NamedShape*> gates, ups;
  for (const NamedShape& w : p.weights) (w.name.find(".gate_proj.") != w.name.npos ? gates : ups).push_back(&w);
  for (size_t e = 0; e < std::min(gates.size(), ups.size()); ++e)
    if (halves_experts(p.make))
      take(get(*gates[e])), take(get(*ups[e]));
    else
      take(both(get(*gates[e]), get(*ups[e]), p.make == expert_turned_even || p.make == expert_turned_odd));
}

}  // namespace madang
