// Ctrl-C while something runs: asked for between steps, where work can stop cleanly, and never a global in a signal
// handler. Threads made while one of these lives do not see the signal either, so it is made before the engine is.
#pragma once
#include <csignal>

namespace madang {

class Interrupt {
 public:
  Interrupt();   ///< from here on Ctrl-C ends nothing by itself
  ~Interrupt();  ///< as it was before
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// True once for each Ctrl-C since the last call.
  bool pressed();

 private:
  sigset_t before_{};
  int descriptor_ = -1;
};

}  // namespace madang
