// Tiny models for the engine's tests: those of tests/data, and more of the same families where there is a shared
// folder.
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "support.h"

namespace madang::test {

inline std::vector<std::string> tiny_models() {
  const std::vector<std::string> more = {"llama-linear", "llama-dynamic-ntk", "gemma3-text", "qwen2",
                                         "qwen2-swa",    "mixtral",           "mistral-full"};
  const std::vector<std::string> more_files = {"llama-256-q4_k_m", "llama-256-q2_k", "llama-256-q6_k", "llama-256-q4_0",
                                               "llama-bf16"};
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/models"))
    paths.push_back(entry.path().string());
  for (const auto& entry : std::filesystem::directory_iterator(data_folder() + "/gguf"))
    if (entry.path().extension() == ".gguf") paths.push_back(entry.path().string());
  if (!shared_folder().empty()) {
    for (const auto& name : more) paths.push_back(shared_folder() + "/golden/models/" + name);
    for (const auto& name : more_files) paths.push_back(shared_folder() + "/golden/gguf/" + name + ".gguf");
  }
  std::erase_if(paths, [](const std::string& path) { return !std::filesystem::exists(path); });
  std::ranges::sort(paths);
  return paths;
}

inline std::string test_name(const std::string& path) {
  std::string name = (path.starts_with(data_folder()) ? "" : "more_") + std::filesystem::path(path).filename().string();
  std::ranges::replace_if(name, [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)); }, '_');
  return name;
}

}  // namespace madang::test
