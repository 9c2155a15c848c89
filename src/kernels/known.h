// The ordered list that pick_kernels() walks, for people.
#pragma once
#include <string_view>
#include <vector>

#include "base/language.h"

namespace madang {

struct KernelsRow {
  std::string_view name;  ///< as MADANG_ISA takes it
  Text about;
  bool granted = false;         ///< by this processor and operating system
  bool only_if_forced = false;  ///< twins for tests
};

/// Best first.
std::vector<KernelsRow> known_kernels();

}  // namespace madang
