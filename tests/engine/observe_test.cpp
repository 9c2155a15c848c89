// Who watches the products of a forward: every matrix of the file is seen, experts by number, inputs as they are.
#include <map>
#include <random>
#include <set>

#include "engine/windows.h"
#include "models.h"

namespace madang {
namespace {

// Gates and ups of all experts in one tensor: halves of its slices, numbered one behind the other.
TEST(Observe, HalvesOfStackedExpertsAreMatricesOfTheirOwn) {
  const auto checkpoint = Checkpoint::open(test::data_folder() + "/models/tiny-granitemoehybrid");
  Workplace work(WorkOptions{.threads = 1});
  std::set<int64_t> seen;
  work.observe([&](const Weight& w, const Tensor&) {
    ASSERT_LT(w.matrix, w.matrices) << w.stored;
    if (w.stored.find("layers.0.block_sparse_moe.input_linear") != w.stored.npos) seen.insert(w.matrix);
  });
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  WindowRun run(checkpoint->model(), work, KvType::f32, ids);
  while (run.next()) {
  }
  const int64_t experts = checkpoint->config().integer("num_local_experts");
  EXPECT_GT(*seen.rbegin(), experts);  // the up half of one beyond the middle
  EXPECT_EQ(seen.size() % 2, 0u);
}

TEST(Observe, EveryMatrixIsSeenUnderItsStoredName) {
  for (const char* name : {"llama-q8_0", "mixtral-q8_0", "qwen2-q8_0"}) {
    const auto checkpoint = Checkpoint::open(test::data_folder() + "/gguf/" + name + ".gguf");
    Workplace work(WorkOptions{.threads = 1});
    std::map<std::string, std::set<int64_t>, std::less<>> seen;
    work.observe([&](const Weight& w, const Tensor& x) {
      EXPECT_EQ(x.cols(), w.cols);
      EXPECT_LT(w.matrix, w.matrices);
      seen[std::string(w.stored)].insert(w.matrix);
    });
    std::mt19937_64 random(test::seed());
    std::vector<int32_t> ids(256);
    for (int32_t& id : ids)
      id = static_cast<int32_t>(random() % static_cast<uint64_t>(checkpoint->model().vocabulary()));
    WindowRun run(checkpoint->model(), work, KvType::f32, ids);
    while (run.next()) {
    }
    for (const StoredTensor& t : checkpoint->source().tensors()) {
      const bool matrix = t.shape.size() >= 2 && t.name != "token_embd.weight";
      const auto found = seen.find(t.name);
      EXPECT_EQ(found != seen.end(),
                matrix || (t.name == "token_embd.weight" && !checkpoint->source().find("output.weight")))
          << name << " " << t.name;
      if (found != seen.end() && t.shape.size() == 3) {
        EXPECT_EQ(static_cast<int64_t>(found->second.size()), t.shape[0]) << t.name;
      }
    }
  }
}

}  // namespace
}  // namespace madang
