// The prompt line of the chat: libedit with wide characters, so that a Hangul syllable is one character and two
// columns. Without a terminal, lines are read as they come.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cli/surroundings.h"

namespace madang {

class LineEditor {
 public:
  explicit LineEditor(Surroundings& around);
  ~LineEditor();

  enum class End { line, interrupted, closed };
  struct Result {
    End end = End::closed;
    std::string text;  ///< UTF-8, without the line's end
  };
  /// One line, after `prompt`.
  Result read(const std::string& prompt);
  /// More was typed or pasted already: a paste of several lines is one message.
  bool pending() const;
  void remember(const std::string& text);  ///< for the arrow keys; nothing is written to disk

 private:
  struct Terminal;
  Surroundings& around_;
  std::unique_ptr<Terminal> terminal_;  // null: not a terminal
};

/// While it lives, typed keys are not shown: they wait for the next prompt instead of standing in the answer.
class HiddenKeys {
 public:
  explicit HiddenKeys(const Surroundings& around);
  ~HiddenKeys();
  HiddenKeys(const HiddenKeys&) = delete;
  HiddenKeys& operator=(const HiddenKeys&) = delete;

 private:
  struct Modes;
  std::unique_ptr<Modes> before_;  // null: not a terminal
};

}  // namespace madang
