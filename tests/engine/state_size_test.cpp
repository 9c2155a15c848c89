// Small models run to 100 and 10,000 tokens: each sequence holds what its layers' specifications say.
#include "engine/workplace.h"
#include "models.h"

namespace madang {
namespace {

int64_t said(const std::vector<StateSpec>& specs, KvType type, int64_t length) {
  int64_t sum = 0;
  for (const StateSpec& s : specs) sum += s.bytes_at(type, length);
  return sum;
}

/// Pages that are begun and not full: one a layer, and of a window one at either end.
int64_t page_room(const std::vector<StateSpec>& specs, KvType type) {
  int64_t sum = 0;
  for (const StateSpec& s : specs)
    if (s.kind != StateKind::recurrent && s.kind != StateKind::none)
      sum += (s.kind == StateKind::rolling ? 2 : 1) * kv_block * s.bytes_per_token(type);
  return sum;
}

TEST(StateSize, IsWhatIsAllocatedByARealRun) {
  for (const char* name : {"/models/qwen2", "/models/mistral-swa", "/models/mamba", "/models/deepseek-v3"}) {
    const auto checkpoint = Checkpoint::open(test::data_folder() + name);
    const Model& model = checkpoint->model();
    const std::vector<StateSpec> specs = model.states();
    Workplace work({.threads = 1});
    SequenceState state(specs, KvType::f16, 1 << 20);
    // Positions beyond what attention rotates to are of no matter here; 10,000 only where a step's cost stays small.
    const bool grows = specs[0].kind == StateKind::paged || specs[0].kind == StateKind::latent;
    const int64_t most = grows ? 1'000 : 10'000;
    const std::vector<int32_t> ids(100, 5);
    for (int64_t length = 100; length <= most; length += 100) {
      Step step;
      step.add(ids, &state, Step::Want::last);
      work.forward(model, step);
      if (length != 100 && length != most) continue;
      EXPECT_GE(state.bytes(), said(specs, KvType::f16, length)) << name << " " << length;
      EXPECT_LE(state.bytes(), said(specs, KvType::f16, length) + page_room(specs, KvType::f16) +
                                   (grows ? 0 : 100 * said(specs, KvType::f16, 1)))
          << name << " " << length;
    }
  }
}

}  // namespace
}  // namespace madang
