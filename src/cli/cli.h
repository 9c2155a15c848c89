// The command line: words in, exit code out. One file per command; commands.cpp lists them.
#pragma once

namespace madang {

int run_command_line(int argc, char** argv);

}  // namespace madang
