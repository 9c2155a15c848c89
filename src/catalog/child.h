// Another program, run to its end. By an argument vector, never through a shell; it gets no input.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace madang {

struct Child {
  std::vector<std::string> words;        ///< words[0] is the program's path
  std::vector<std::string> environment;  ///< NAME=VALUE, beside and before what this process has itself
  std::filesystem::path output;          ///< where its standard output and error go
};

/// Its exit code; 128 + N if signal N ended it, 127 if it could not start. Calls `alive` ten times a second; when
/// that returns false, or throws, the child is ended first.
int run_child(const Child& child, const std::function<bool()>& alive = {});

/// The executable of that name in PATH's folders, or "".
std::filesystem::path find_program(std::string_view name, std::string_view search_path);

}  // namespace madang
