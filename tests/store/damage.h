// Bad files by the hundred, each with a name, and what must come of them: a typed error or a sound answer; never a
// crash, and never an allocation beyond the file's own size class.
#pragma once
#include <string>
#include <vector>

namespace madang::test {

enum class Fate {
  unread,  ///< opening it must fail
  unused,  ///< it may open; using it as a model must fail
  any,     ///< any answer is right
};

struct BadFile {
  std::string name, bytes;
  Fate fate = Fate::unread;
};

std::vector<BadFile> bad_ggufs();
std::vector<BadFile> bad_safetensors();
std::vector<BadFile> bad_llama2c();
std::vector<BadFile> bad_rwkv_cpp();
std::vector<BadFile> bad_configs();

/// The largest single allocation since the last call.
size_t largest_allocation();

}  // namespace madang::test
