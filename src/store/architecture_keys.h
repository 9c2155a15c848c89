// The keys of one architecture in a GGUF being written: "llama.block_count" and its like. A key keeps the first value
// that it is given, so the particular comes before the general.
#pragma once
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/config_to_gguf.h"

namespace madang {

class ArchitectureKeys {
 public:
  ArchitectureKeys(GgufHeader& out, const Config& config)
      : out_(out), where_(config.where()), prefix_(gguf_architecture(config) + ".") {}

  void put(std::string_view key, int64_t value) {
    if (is_new(key)) out_.put(full(key), static_cast<uint32_t>(value));
  }
  void put(std::string_view key, double value) {
    if (is_new(key)) out_.put(full(key), static_cast<float>(value));
  }
  void flag(std::string_view key, bool value) {
    if (is_new(key)) out_.put(full(key), value);
  }
  void text(std::string_view key, std::string_view value) {
    if (is_new(key)) out_.put(full(key), value);
  }
  // One value a layer.
  void list(std::string_view key, std::span<const int32_t> values) {
    if (is_new(key)) out_.put(full(key), values);
  }
  void flags(std::string_view key, const std::vector<bool>& values) {
    if (is_new(key)) out_.put_flags(full(key), values);
  }

  [[noreturn]] void refuse(std::string_view setting) const {
    throw Error(Kind::unsupported, say("GGUF cannot say the setting {}", setting)).at(where_);
  }

 private:
  bool is_new(std::string_view key) { return done_.emplace(key).second; }
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  GgufHeader& out_;
  std::string where_, prefix_;
  std::set<std::string, std::less<>> done_;
};

/// The keys of architectures that remember in a fixed size, in some layers or all. Of others it writes none.
void write_recurrent(ArchitectureKeys& out, const Config& config);

}  // namespace madang
