#include "cli/surroundings.h"

#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <iostream>

namespace madang {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string first_of(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (std::string value = variable(name); !value.empty()) return value;
  return {};
}

}  // namespace

Surroundings read_surroundings() {
  Surroundings s;
  s.language = language_of_locale(first_of({"LC_ALL", "LC_MESSAGES", "LANG"}));
  s.isa = variable("MADANG_ISA");
  s.models_folder = variable("MADANG_MODELS");
  s.cache_home = variable("XDG_CACHE_HOME");
  s.data_home = variable("XDG_DATA_HOME");
  s.home = variable("HOME");
  s.hub = variable("HF_ENDPOINT");
  s.hub_token = variable("HF_TOKEN");
  s.search_path = variable("PATH");
  s.in_terminal = isatty(STDIN_FILENO), s.out_terminal = isatty(STDOUT_FILENO), s.err_terminal = isatty(STDERR_FILENO);
  const std::string kind = variable("TERM");
  s.colour = s.out_terminal && s.err_terminal && variable("NO_COLOR").empty() && !kind.empty() && kind != "dumb";
  std::ios::sync_with_stdio(false);
  s.in = &std::cin, s.out = &std::cout, s.err = &std::cerr;
  return s;
}

}  // namespace madang
