// Small things about terminals: how wide a text is, styles, a bar that shows how far work has come.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "cli/surroundings.h"

namespace madang {

/// Columns of a character cluster or a text: Hangul and Chinese characters take two, combining marks none.
int display_width(std::string_view text);

/// Where the character (grapheme cluster) that holds byte `at` ends; text.size() at the end.
size_t next_character(std::string_view text, size_t at);
size_t previous_character(std::string_view text, size_t at);

enum class Style { plain, dim, bold, accent, warning };
/// The text in that style, or the text alone where there are no colours.
std::string styled(const Surroundings& around, Style style, std::string_view text);

/// Columns of the terminal behind a file descriptor; 80 if it does not tell.
int terminal_columns(int descriptor);

/// The text, then blanks up to `columns`.
std::string padded(std::string_view text, int columns);
/// The text broken at blanks into lines of at most `columns`, each begun with `indent` blanks.
std::string wrapped(std::string_view text, int columns, int indent);

std::string human_bytes(double bytes);   ///< "98.3 MB"
std::string human_count(double number);  ///< "134.5 M"

/// A bar on standard error, drawn only on a terminal, only for work longer than a blink, and gone when it is over.
/// A log file gets a line every ten percent of what counts bytes.
class ProgressBar {
 public:
  explicit ProgressBar(Surroundings& around);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  bool show(const Progress& progress);
  void clear();
  OnProgress listener() {
    return [this](const Progress& p) { return show(p); };
  }

 private:
  using Clock = std::chrono::steady_clock;
  void draw(const Progress& progress, double seconds);

  Surroundings& around_;
  Clock::time_point begin_, drawn_{};
  int64_t first_ = -1, told_ = -1;
  std::string what_;
  bool visible_ = false;
};

}  // namespace madang
