// A checkpoint folder of random weights, made of a configuration alone.
#pragma once
#include <cmath>
#include <filesystem>

#include "base/random.h"
#include "models/model.h"
#include "store/placement.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang::test {

/// What a model needs of a weight, so that every part shows in its logits and nothing overflows.
inline float drawn(Random& random, const std::string& name, const std::vector<int64_t>& shape) {
  const double x = random.normal();
  if (name.ends_with("A_log")) return static_cast<float>(0.5 + 0.3 * x);
  if (name.ends_with("norm.weight") || name.ends_with(".D")) return static_cast<float>(1 + 0.2 * x);
  if (shape.size() == 1) return static_cast<float>(0.3 * x);
  return static_cast<float>(x / std::sqrt(static_cast<double>(shape.back())));
}

/// config.json and model.safetensors as a repository has them.
inline void write_random_model(const std::string& folder, const Json& keys, uint64_t seed) {
  std::filesystem::create_directories(folder);
  std::ofstream(std::filesystem::path(folder) / "config.json") << keys.dump(1);
  const Config config(keys, folder);
  Random random(seed);
  const auto all = placements(blueprint_of(config).weights, Layout::hugging_face, config);
  SafetensorsWriter out((std::filesystem::path(folder) / "model.safetensors").string());
  for (const Placement& p : all) out.declare(p.name, DType::f32, p.shape);
  out.begin();
  for (const Placement& p : all) {
    int64_t numel = 1;
    for (int64_t n : p.shape) numel *= n;
    std::vector<float> values(static_cast<size_t>(numel));
    for (float& v : values) v = drawn(random, p.name, p.shape);
    out.write({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
  }
  out.finish();
}

}  // namespace madang::test
