// A command of the program: its words for people, the flags it takes, what it does. commands.cpp lists them all; help,
// completion and parsing read the same rows.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/surroundings.h"

namespace madang {

struct Example {
  std::string_view line;
  Text what;
};

struct Command {
  std::string_view name;
  std::string_view operands;  ///< "MODEL", "[NAME ...]"; "..." takes any number, "[ ]" may be left out
  Text summary;               ///< one line
  std::vector<Text> about;    ///< paragraphs
  std::vector<Flag> flags;
  std::vector<Example> examples;
  /// The exit code. Throws Error.
  int (*run)(const Arguments& arguments, Surroundings& around) = nullptr;
  bool hidden = false;  ///< from lists: what completion scripts call
};

std::vector<Command> commands();

/// Those every command takes: --help, --lang.
std::vector<Flag> universal_flags();

/// Parses the words after the program's name and runs; faults are told on `around.err`. The exit code.
int run_words(const std::vector<std::string>& words, Surroundings& around);

}  // namespace madang
