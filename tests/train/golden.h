// What tests of training share: where PyTorch's answers lie, the batches they were made with, and the rules by which
// steps are judged (golden/TRAIN.md).
#pragma once
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/json.h"
#include "store/safetensors.h"
#include "support.h"
#include "train/trainer.h"

namespace madang::test {

namespace fs = std::filesystem;

// Reference data: all of it beside the checkout (which may be of another seed), or the repository's own copies.
inline std::string golden(const std::string& name) {
  const std::string shared = shared_folder() + "/golden/" + name;
  return !shared_folder().empty() && fs::exists(shared) ? shared : data_folder() + "/" + name;
}

inline std::vector<int32_t> ids_of(const Source& source, const char* name) {
  const StoredTensor* t = source.find(name);
  std::vector<int32_t> ids(static_cast<size_t>(t->numel()));
  std::memcpy(ids.data(), t->bytes.data(), t->bytes.size());
  return ids;
}

inline std::vector<float> floats_of(const Source& source, const std::string& name) {
  const StoredTensor* t = source.find(name);
  std::vector<float> values(static_cast<size_t>(t ? t->numel() : 0));
  if (t) t->format->decode(t->bytes.data(), t->numel(), values.data());
  return values;
}

inline TrainBatch plain_batch(const Source& data) {
  const auto ids = ids_of(data, "input_ids");
  const size_t width = static_cast<size_t>(data.find("input_ids")->shape[1]);
  TrainBatch batch;
  for (size_t at = 0; at < ids.size(); at += width) {
    std::vector<int32_t> row(ids.begin() + static_cast<long>(at), ids.begin() + static_cast<long>(at + width));
    batch.push_back({row, row});
  }
  return batch;
}

inline TrainBatch masked_batch(const Source& data) {
  const auto ids = ids_of(data, "masked_input_ids"), labels = ids_of(data, "masked_labels"),
             lengths = ids_of(data, "masked_lengths");
  const size_t width = ids.size() / lengths.size();
  TrainBatch batch;
  for (size_t r = 0; r < lengths.size(); ++r) {
    const auto cut = [&](const std::vector<int32_t>& all) {
      const auto begin = all.begin() + static_cast<long>(r * width);
      return std::vector<int32_t>(begin, begin + lengths[r]);
    };
    batch.push_back({cut(ids), cut(labels)});
  }
  return batch;
}

inline double worst_noise(const Json& noise, const char* key) {
  double worst = 0;
  for (const auto& [name, entry] : noise.items()) worst = std::max(worst, entry.value(key, 0.0));
  return worst;
}

inline void check_steps(Trainer& trainer, const TrainBatch& batch, const Json& steps, double final_loss,
                        const Json& noise) {
  const double loss_rule = std::max(2e-5, 10 * worst_noise(noise, "loss")),
               norm_rule = std::max(1e-4, 10 * worst_noise(noise, "grad_norm"));
  auto near = [](double got, double want, double relative) {
    return std::fabs(got - want) <= std::max(relative * std::fabs(want), 1e-6);
  };
  for (const Json& want : steps) {
    const TrainReport got = trainer.step(batch);
    const bool first = got.step == 0;
    EXPECT_NEAR(got.rate, want["lr"].get<double>(), 1e-12) << "step " << got.step;
    EXPECT_TRUE(near(got.loss, want["loss"], first ? 1e-5 : loss_rule))
        << "loss " << got.loss << " for " << want["loss"] << " at step " << got.step;
    EXPECT_TRUE(near(got.gradient_norm, want["grad_norm"], first ? 5e-5 : norm_rule))
        << "gradient norm " << got.gradient_norm << " for " << want["grad_norm"] << " at step " << got.step;
  }
  EXPECT_TRUE(near(trainer.loss(batch), final_loss, loss_rule))
      << "final loss " << trainer.loss(batch) << " for " << final_loss;
}

}  // namespace madang::test
