// Texts that end an answer, none of whose bytes may be shown: what could still become one is held back.
// The answer is cut before the stop text that is complete first; of several that end at the same byte, the longest.
// However the text is cut into pieces, what is let through is the same.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace madang {

class StopFilter {
 public:
  StopFilter() = default;
  /// Throws Kind::usage if a stop text is empty, longer than 1,024 bytes, or there are more than 64.
  explicit StopFilter(std::vector<std::string> stops);

  /// What may be shown now. Once a stop text was found, nothing more.
  std::string push(std::string_view text);
  /// The answer ended by itself: what was held back.
  std::string finish();
  bool found() const { return found_; }
  const std::string& text() const { return text_; }  ///< the stop text that was found

 private:
  std::vector<std::string> stops_;
  std::string held_;  ///< the longest end of the text that begins a stop text
  std::string text_;
  bool found_ = false;
};

}  // namespace madang
