// How long work tells where it stands. The work calls; who listens (a terminal, a server, nobody) is not its
// business. A listener that returns false asks the work to stop.
#pragma once
#include <cstdint>
#include <functional>

#include "base/language.h"

namespace madang {

struct Progress {
  Text what;                    ///< "loading {}"
  int64_t done = 0, total = 0;  ///< total 0: unknown
  bool bytes = false;           ///< counts bytes, shown as MB
};
using OnProgress = std::function<bool(const Progress&)>;

}  // namespace madang
