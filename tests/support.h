// What tests share: the folder of outside reference data (may be absent), printed seeds, closeness.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace madang::test {

/// ../shared beside the checkout, or $MADANG_SHARED; empty when there is none: tests then use tests/data alone.
inline std::string shared_folder() {
  const char* named = std::getenv("MADANG_SHARED");
  std::filesystem::path path = named ? std::filesystem::path(named) : std::filesystem::path(MADANG_SOURCE_DIR) / ".." / "shared";
  std::error_code fault;
  auto found = std::filesystem::canonical(path, fault);
  return fault ? std::string() : found.string();
}

inline std::string data_folder() { return std::string(MADANG_SOURCE_DIR) + "/tests/data"; }

/// A seed that is printed, and that MADANG_SEED repeats.
inline uint64_t seed() {
  static const uint64_t value = [] {
    const char* given = std::getenv("MADANG_SEED");
    uint64_t s = given ? std::strtoull(given, nullptr, 10)
                       : static_cast<uint64_t>(std::filesystem::file_time_type::clock::now().time_since_epoch().count());
    std::cout << "seed " << s << " (repeat with MADANG_SEED=" << s << ")\n";
    return s;
  }();
  return value;
}

inline std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

/// A folder that goes away with the test.
struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string form = (std::filesystem::temp_directory_path() / "madang-test-XXXXXX").string();
    path = mkdtemp(form.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

}  // namespace madang::test
