// What the program and each command say about themselves, from the rows of commands.cpp.
#pragma once
#include <span>

#include "cli/command.h"

namespace madang {

/// `madang` without words, and `madang help`.
void show_overview(const Surroundings& around, std::span<const Command> commands);
/// `madang COMMAND --help`.
void show_help(const Surroundings& around, const Command& command);

}  // namespace madang
