// Configurations whose keys can be read one by one and make no model, or none that is computed here: refused while the
// model is built, by the key or the number that is at fault.
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "engine/checkpoint.h"
#include "support.h"

namespace madang {
namespace {

struct Refused {
  const char* model;
  Json changes;  ///< to its config.json
  Kind kind;
  const char* named;  ///< in the error
};

TEST(Refused, SettingsThatNoModelHas) {
  const Refused cases[] = {
      {"tiny-phi3small", {{"hidden_act", "gelu"}}, Kind::unsupported, "hidden_act"},
      {"tiny-phi3small", {{"blocksparse_block_size", 48}}, Kind::unsupported, "blocksparse_block_size"},
      {"tiny-phi3small", {{"blocksparse_num_local_blocks", 0}}, Kind::format, "blocksparse_num_local_blocks"},
      {"tiny-phi3small", {{"blocksparse_vert_stride", 0}}, Kind::format, "blocksparse_vert_stride"},
      {"tiny-phi3small", {{"rope_position_scale", 2.0}}, Kind::unsupported, "rope_position_scale"},
      // 8 experts in 4 groups of which one counts: a third would be any of those left out.
      {"deepseek-v3", {{"topk_group", 1}, {"num_experts_per_tok", 9}}, Kind::format, "1 .. 8"},
  };
  for (const Refused& one : cases) {
    const std::string whole = test::data_folder() + "/models/" + one.model;
    test::TemporaryFolder folder;
    std::filesystem::copy(whole + "/model.safetensors", folder.path);
    Json config = read_json(whole + "/config.json");
    config.update(one.changes);
    std::ofstream(folder / "config.json") << config.dump();
    try {
      Checkpoint::open(folder.path.string());
      ADD_FAILURE() << "accepted " << one.changes;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), one.kind) << one.changes;
      EXPECT_NE(std::string(error.what()).find(one.named), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace madang
