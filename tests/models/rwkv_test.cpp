// RWKV of four generations as rwkv.cpp keeps them, against the logits that its makers published with them (prompt: the
// three bytes of "in with the quotation mark before them). The files lie beside the checkout.
#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/checkpoint.h"
#include "support.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

class RwkvCppFiles : public testing::TestWithParam<std::string> {};

TEST_P(RwkvCppFiles, GiveThePublishedLogits) {
  const std::string folder = test::shared_folder() + "/real/weights/tiny-rwkv/", name = GetParam();
  if (test::shared_folder().empty() || !fs::exists(folder)) GTEST_SKIP() << "no files of others here";
  std::vector<float> want(256);
  std::ifstream(folder + "expected-logits-" + name + ".bin", std::ios::binary)
      .read(reinterpret_cast<char*>(want.data()), 1024);
  auto checkpoint = Checkpoint::open(folder + "tiny-rwkv-" + name + "-FP32.bin");
  const std::vector<int32_t> prompt{'"', 'i', 'n'};
  ThreadPool pool(2);
  Arena arena;
  Ctx c{pool, arena, pick_kernels("")};
  for (size_t chunk : {3, 1}) {
    SequenceState state(checkpoint->model().states(), KvType::f32, 3);
    std::vector<float> got;
    for (size_t at = 0; at < prompt.size(); at += chunk) {
      Step step;
      step.add(std::span(prompt).subspan(at, chunk), &state, Step::Want::last);
      arena.rewind({});
      const Tensor logits = checkpoint->model().forward(c, step);
      step.advance();
      got.assign(logits.f32(), logits.f32() + logits.numel());
    }
    ASSERT_EQ(got.size(), want.size());
    float largest = 0, worst = 0;
    for (size_t i = 0; i < want.size(); ++i)
      largest = std::max(largest, std::fabs(want[i])), worst = std::max(worst, std::fabs(got[i] - want[i]));
    RecordProperty("worst", std::to_string(worst / largest));
    EXPECT_LE(worst, 2e-5f * largest) << "chunks of " << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(Generations, RwkvCppFiles, testing::Values("4v0-660K", "5v2-730K", "6v0-1m", "7v0-834K"),
                         [](const auto& which) { return which.param.substr(0, 3); });

}  // namespace
}  // namespace madang
