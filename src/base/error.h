// What went wrong, as facts. Opening and building throw Error; the step loop returns a status and never throws.
// User input never meets an assertion: whatever a file or a person can cause is an Error with a place.
#pragma once
#include <exception>
#include <string>

#include "base/language.h"

namespace madang {

/// The kinds double as exit codes of the command line (documented in `madang --help` and docs/errors.md).
enum class Kind : int {
  usage = 2,        ///< a command, flag or argument that madang does not take
  missing = 3,      ///< a file, model, tensor or key that is not there
  format = 4,       ///< a file that is not what it says: truncated, damaged, adversarial
  unsupported = 5,  ///< understood, and not built: an architecture, a format, a feature
  mismatch = 6,     ///< two things that must agree and do not: shapes, hashes, vocabularies
  limit = 7,        ///< a bound was met: context, memory, steps, disk
  network = 8,      ///< a server that did not answer as it should
  refused = 9,      ///< a template's own refusal, a licence not accepted
  io = 10,          ///< the operating system said no
  internal = 70,    ///< a fault of madang itself
};

class Error : public std::exception {
 public:
  Error(Kind kind, Text what) : kind_(kind), what_(std::move(what)) {}

  // Facts, added in a chain: throw Error(Kind::mismatch, say("tensor {} has the wrong shape", name))
  //                              .at(path).expected("[64, 64]").found("[64, 32]").hint(say("..."));
  Error& at(std::string place) {
    place_ = std::move(place);
    return *this;
  }
  Error& expected(std::string facts) {
    expected_ = std::move(facts);
    return *this;
  }
  Error& found(std::string facts) {
    found_ = std::move(facts);
    return *this;
  }
  Error& hint(Text advice) {
    hint_ = std::move(advice);
    return *this;
  }
  /// Adds the place only where none was given: an outer floor knows the file, an inner one the byte.
  Error& within(const std::string& outer) {
    place_ = place_.empty() ? outer : outer + ": " + place_;
    return *this;
  }

  Kind kind() const { return kind_; }
  const std::string& place() const { return place_; }
  const Text& text() const { return what_; }

  /// Several lines: what, where, expected, found, what to do.
  std::string render(Language language) const;
  const char* what() const noexcept override;

 private:
  Kind kind_;
  Text what_, hint_;
  std::string place_, expected_, found_;
  mutable std::string rendered_;
};

}  // namespace madang
