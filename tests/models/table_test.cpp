// docs/models.md is what tools/models_table writes from the sources.
#include <cstdlib>

#include "support.h"

namespace madang {
namespace {

TEST(ModelsTable, IsNotStale) {
  EXPECT_EQ(std::system((std::string(MADANG_SOURCE_DIR) + "/tools/models_table --check").c_str()), 0);
}

}  // namespace
}  // namespace madang
