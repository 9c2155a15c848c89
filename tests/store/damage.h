// Bad files by the hundred, each with a name, and what must come of them: a typed error or a sound answer; never a
// crash, and never an allocation beyond the file's own size class.
#pragma once
#include <string>
#include <vector>

namespace madang::test {

struct BadFile {
  std::string name, bytes;
  bool must_fail = true;
};

std::vector<BadFile> bad_ggufs();
std::vector<BadFile> bad_safetensors();
std::vector<BadFile> bad_llama2c();
std::vector<BadFile> bad_configs();

/// The largest single allocation since the last call.
size_t largest_allocation();

}  // namespace madang::test
