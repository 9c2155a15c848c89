// What a command finds around it: words of the environment, terminals, streams, the reader's language. Read once, by
// run_command_line(), and handed down: no other place of madang asks the environment.
#pragma once
#include <iosfwd>
#include <string>

#include "base/language.h"

namespace madang {

struct Surroundings {
  Language language = Language::english;
  // Variables, "" where unset.
  std::string isa;             ///< MADANG_ISA: the instruction set to use
  std::string models_folder;   ///< MADANG_MODELS
  std::string cache_home;      ///< XDG_CACHE_HOME
  std::string data_home;       ///< XDG_DATA_HOME
  std::string home;            ///< HOME
  std::string hub, hub_token;  ///< HF_ENDPOINT, HF_TOKEN
  std::string search_path;     ///< PATH

  bool in_terminal = false, out_terminal = false, err_terminal = false;
  bool colour = false;  ///< both are terminals that know colours, and NO_COLOR is unset or empty

  std::istream* in = nullptr;   ///< never null once read
  std::ostream* out = nullptr;  ///< results
  std::ostream* err = nullptr;  ///< progress, notes, errors

  std::string words(const Text& text) const { return text.in(language); }
};

/// Of this process: std::cin, std::cout, std::cerr.
Surroundings read_surroundings();

}  // namespace madang
