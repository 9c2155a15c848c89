// How long work ends when its listener asks for it: no fault of anybody's, and exit code 130 of the command line.
#pragma once
#include <string>

#include "base/error.h"
#include "base/progress.h"

namespace madang {

class Stopped : public Error {
 public:
  explicit Stopped(Text what = say("stopped on request")) : Error(Kind::refused, std::move(what)) {}
};

/// Throws Stopped if there is a listener and it asks to stop.
inline void tell(const OnProgress& listener, const Progress& progress) {
  if (listener && !listener(progress)) throw Stopped();
}

/// For work whose result has not taken its name, `path`, yet.
inline void tell(const OnProgress& listener, const Progress& progress, const std::string& path) {
  if (!listener || listener(progress)) return;
  Stopped stopped(say("stopped on request, nothing was written"));
  stopped.at(path);
  throw stopped;
}

}  // namespace madang
