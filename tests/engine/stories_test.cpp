// A model of another format from end to end: llama2.c's 260 thousand parameters with its own tokenizer, greedy, must
// tell the story that llama2.c tells, to the byte.
#include "engine/engine.h"
#include "support.h"

namespace madang {
namespace {

TEST(Stories, TwoHundredGreedyTokensToTheByte) {
  const std::string folder = test::shared_folder() + "/real/weights/stories260K";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no reference data beside the checkout";
  const auto checkpoint = Checkpoint::open(folder + "/stories260K.bin");
  for (Compute compute : {Compute::exact, Compute::fast}) {
    Engine engine(*checkpoint, {.work = {.compute = compute}});
    Request request{.prompt = {*checkpoint->tokenizer()->bos()}};
    request.sampler.temperature = 0;
    request.max_tokens = 200;
    EXPECT_EQ(generate(engine, request) + "\n",
              test::read_text(folder + "/greedy200_expected.txt"));  // llama2.c ends its line
  }
}

}  // namespace
}  // namespace madang
