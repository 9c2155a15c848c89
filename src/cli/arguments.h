// The words of one command taken apart by a table of flags: "--flag VALUE", "--flag=VALUE", switches, operands; "--"
// ends the flags. Unknown flags are refused with the nearest known one. No abbreviations: a script must not change its
// meaning when a flag is added. (CLI11 was weighed: its help and its faults are English sentences built inside it.)
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/language.h"

namespace madang {

struct Flag {
  std::string_view name;         ///< "--threads"
  std::string_view letter = "";  ///< "-t", or none
  std::string_view value = "";   ///< what stands after it, for people ("N", "FILE", "exact|fast"); "": a switch
  Text help;
  bool many = false;  ///< may be given again
};

class Arguments {
 public:
  /// Throws Kind::usage.
  Arguments(std::span<const std::string> words, std::span<const Flag> flags, std::string_view operands);

  bool has(std::string_view flag) const;
  std::optional<std::string> text(std::string_view flag) const;
  std::string text(std::string_view flag, std::string_view fallback) const;
  std::vector<std::string> texts(std::string_view flag) const;
  // Numbers in [least, most]. Throw Kind::usage naming the flag, the range and what was found.
  std::optional<int64_t> integer(std::string_view flag, int64_t least, int64_t most) const;
  int64_t integer(std::string_view flag, int64_t fallback, int64_t least, int64_t most) const;
  std::vector<int64_t> integers(std::string_view flag, int64_t least, int64_t most) const;
  std::optional<double> real(std::string_view flag, double least, double most) const;
  /// One of the words of the flag's own value, "a|b|c". Throws Kind::usage with the nearest.
  std::optional<std::string> choice(std::string_view flag) const;

  const std::vector<std::string>& operands() const { return operands_; }
  /// These, and of `words` (a configuration file's) the flags and operands of which these say nothing.
  Arguments with_defaults(std::span<const std::string> words) const;

 private:
  void take_flag(std::span<const std::string> words, size_t& at);
  void check_operands(std::string_view wanted) const;

  std::span<const Flag> flags_;
  std::vector<std::pair<const Flag*, std::string>> given_;
  std::vector<std::string> operands_;
};

/// Whole numbers between commas, blanks or line ends. Throws Kind::usage at the first that is none; `where` names it.
std::vector<int32_t> parse_ids(std::string_view text, const std::string& where);

}  // namespace madang
