#include "convert/whole_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "store/config_keys.h"
#include "store/config_to_gguf.h"

namespace madang {
namespace {

/// GGUF keeps Llama 3.1's stretched frequencies as divisors; repositories keep the numbers they were made from. Between
/// the longest and the shortest wavelength 1/divisor is a line over 1/wavelength, whose ends are those numbers.
Json llama3_rope(const Config& config, const StoredTensor& stored) {
  std::vector<float> factors(static_cast<size_t>(stored.numel()));
  stored.decode(factors.data());
  RopeParameters rope = config.rope();
  rope.factor = *std::ranges::max_element(factors);
  auto fits = [&](double trained) {
    const auto made = llama3_factors(rope, 2 * stored.numel(), trained);
    return std::ranges::equal(made, factors, [](float a, float b) { return std::abs(a - b) <= 1e-3f * b; });
  };
  std::vector<std::pair<double, double>> line;  // 1/wavelength, share of the unstretched
  for (size_t i = 0; i < factors.size(); ++i) {
    const double share = (1.0 / static_cast<double>(factors[i]) - 1 / rope.factor) / (1 - 1 / rope.factor),
                 turns = std::pow(rope.theta, -static_cast<double>(i) / static_cast<double>(factors.size())) /
                         (2 * std::numbers::pi);
    if (share > 1e-4 && share < 1 - 1e-4) line.emplace_back(turns, share);
  }
  double kept = 0, stretched = INFINITY;  // wavelengths on both sides of the line
  for (size_t i = 0; i < factors.size(); ++i) {
    const double wave =
        2 * std::numbers::pi * std::pow(rope.theta, static_cast<double>(i) / static_cast<double>(factors.size()));
    if (factors[i] == 1) kept = std::max(kept, wave);
    if (factors[i] == static_cast<float>(rope.factor)) stretched = std::min(stretched, wave);
  }
  std::vector<double> trained = {std::round(std::sqrt(4 * kept * stretched)), 8192};  // any between, if none is on it
  if (line.size() == 1)
    trained = {std::round((1 + 3 * line[0].second) / line[0].first)};  // 1 and 4 turns, as published
  if (line.size() > 1) {
    const auto [x, y] = line.front();
    const double slope = (line.back().second - y) / (line.back().first - x);
    trained = {std::round(1 / (x - y / slope))};
    rope.high_freq_factor = trained[0] * (x + (1 - y) / slope);
    if (const double near = std::round(rope.high_freq_factor * 4) / 4; std::abs(near - rope.high_freq_factor) < 0.01)
      rope.high_freq_factor = near;
  }
  for (double t : {4096.0, 2048.0, 32768.0, 131072.0}) trained.push_back(t);
  for (double t : trained)
    if (fits(t))
      return {{"rope_type", "llama3"},
              {"rope_theta", rope.theta},
              {"factor", rope.factor},
              {"low_freq_factor", rope.low_freq_factor},
              {"high_freq_factor", rope.high_freq_factor},
              {"original_max_position_embeddings", static_cast<int64_t>(t)},
              {"partial_rotary_factor", rope.partial_rotary_factor}};
  throw Error(Kind::unsupported,
              say("the stretched frequencies of {} are none that a configuration can say", stored.name))
      .at(config.where());
}

}  // namespace

Config completed(const Config& config, const Scope& root, const Source& source) {
  Json keys = complete_keys(config);
  const bool headless = !root.has("lm_head.weight") && !root.has("head.weight");  // RWKV has its own name for it
  if (headless && config.has("tie_word_embeddings")) keys["tie_word_embeddings"] = true;
  if (const StoredTensor* stored = source.find("rope_freqs.weight"); stored && stored->format) {
    root.stored("rope_freqs.weight", stored->shape);  // counts as carried
    keys["rope_parameters"] = llama3_rope(config, *stored);
  }
  return Config(keys, config.where());
}

Config deepened(const Config& config, int64_t begin, int64_t end) {
  const int64_t layers = config.integer("num_hidden_layers");
  if (begin < 0 || begin >= end || end > layers)
    throw Error(Kind::usage, say("the layers to repeat are not in the model"))
        .expected(fmt::format("0 <= B < E <= {}", layers))
        .found(fmt::format("{}:{}", begin, end));
  Json keys = complete_keys(config);
  for (auto& [key, value] : keys.items()) {
    if (!value.is_array() || static_cast<int64_t>(value.size()) != layers) continue;
    Json longer = Json::array();
    for (int64_t i = 0; i < end; ++i) longer.push_back(value[static_cast<size_t>(i)]);
    for (int64_t i = begin; i < layers; ++i) longer.push_back(value[static_cast<size_t>(i)]);
    value = longer;
  }
  keys["num_hidden_layers"] = layers + end - begin;
  return Config(keys, config.where());
}

}  // namespace madang
