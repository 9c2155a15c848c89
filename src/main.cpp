// The program: hand the words over to the command line and return its exit code.
#include "cli/cli.h"

int main(int argc, char** argv) { return madang::run_command_line(argc, argv); }
