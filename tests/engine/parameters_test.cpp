// Counts of parameters against the shapes themselves.
#include "engine/parameters.h"

#include "models.h"

namespace madang {
namespace {

TEST(Parameters, AreThoseOfTheTensors) {
  for (const std::string& path : test::tiny_models()) {
    const auto checkpoint = Checkpoint::open(path, {.weights = false});
    const Parameters p = count_parameters(checkpoint->source(), checkpoint->config());
    int64_t total = 0, bytes = 0, experts = 0;
    for (const StoredTensor& t : checkpoint->source().tensors()) {
      total += t.numel(), bytes += static_cast<int64_t>(t.bytes.size());
      const bool stacked = t.name.find("block_sparse_moe.") != t.name.npos && t.shape.size() == 3;  // Granite 4
      if (stacked || t.name.find("exps") != t.name.npos || t.name.find(".experts.") != t.name.npos)
        experts += t.numel();
    }
    EXPECT_EQ(p.total, total) << path;
    EXPECT_EQ(p.bytes, bytes) << path;
    EXPECT_LE(p.bytes_a_token, bytes) << path;
    const int64_t of = checkpoint->config().integer("num_local_experts", 1);
    const int64_t chosen = checkpoint->config().integer("num_experts_per_tok", of);
    EXPECT_EQ(p.active, total - experts + experts * chosen / of) << path;
  }
}

}  // namespace
}  // namespace madang
