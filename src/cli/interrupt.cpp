#include "cli/interrupt.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace madang {

Interrupt::Interrupt() {
  sigset_t keys;
  sigemptyset(&keys);
  sigaddset(&keys, SIGINT);
  pthread_sigmask(SIG_BLOCK, &keys, &before_);
  descriptor_ = signalfd(-1, &keys, SFD_NONBLOCK | SFD_CLOEXEC);
}

Interrupt::~Interrupt() {
  while (pressed()) {
  }
  if (descriptor_ >= 0) close(descriptor_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Interrupt::pressed() {
  signalfd_siginfo told;
  return descriptor_ >= 0 && read(descriptor_, &told, sizeof told) == sizeof told;
}

}  // namespace madang
