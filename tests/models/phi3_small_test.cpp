// What only Phi-3-small does: ids that its tokenizer has for no text are never said.
#include <cstring>
#include <fstream>
#include <limits>

#include "base/random.h"
#include "engine/checkpoint.h"
#include "store/safetensors.h"
#include "support.h"

namespace madang {
namespace {

const std::string golden = test::data_folder() + "/models/tiny-phi3small";

std::vector<float> logits_of(const std::string& folder, std::span<const int32_t> ids) {
  const auto checkpoint = Checkpoint::open(folder);
  ThreadPool pool(2);
  Arena arena;
  Ctx c{pool, arena, pick_kernels("")};
  SequenceState state(checkpoint->model().states(), KvType::f32, static_cast<int64_t>(ids.size()));
  Step step;
  step.add(ids, &state, Step::Want::last);
  const Tensor logits = checkpoint->model().forward(c, step);
  return {logits.f32(), logits.f32() + logits.numel()};
}

TEST(Phi3Small, NeverSaysWhatItsTokenizerHasNoTextFor) {
  Random random(test::seed());
  constexpr int64_t vocabulary = 100352, width = 16;
  const std::vector<int32_t> ids{5, 7, 39, 11};
  const std::vector<float> small = logits_of(golden, ids);

  test::TemporaryFolder folder;
  Json config = read_json(golden + "/config.json");
  config["vocab_size"] = vocabulary;
  std::ofstream(folder / "config.json") << config.dump();
  const auto source = open_safetensors(golden + "/model.safetensors");
  Buffer table(DType::f32, {vocabulary, width});
  for (int64_t i = 0; i < vocabulary * width; ++i) table.f32()[i] = static_cast<float>(random.normal());
  std::vector<NamedTensor> tensors{{"model.embed_tokens.weight", table}};
  for (const StoredTensor& t : source->tensors()) {
    auto* data = const_cast<uint8_t*>(t.bytes.data());
    if (t.name == tensors[0].name)
      std::memcpy(table.f32(), data, t.bytes.size());
    else
      tensors.push_back({t.name, t.shape.size() == 1 ? Tensor{data, DType::f32, {t.shape[0]}}
                                                     : Tensor{data, DType::f32, {t.shape[0], t.shape[1]}}});
  }
  write_safetensors(folder / "model.safetensors", tensors);

  const std::vector<float> large = logits_of(folder.path.string(), ids);
  for (size_t i = 0; i < small.size(); ++i) EXPECT_EQ(large[i], small[i]) << i;
  // As the repository's tokenizer counts them: what cl100k leaves free, and of its own special tokens all but the end
  // of a text.
  auto named = [](int64_t id) { return id < 100256 || id == 100257 || (id > 100260 && id < 100264) || id == 100266; };
  for (int64_t id = 0; id < vocabulary; ++id)
    ASSERT_EQ(large[static_cast<size_t>(id)] > std::numeric_limits<float>::lowest(), named(id)) << id;
}

}  // namespace
}  // namespace madang
