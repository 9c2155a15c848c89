#include "cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "base/nearest.h"

namespace madang {
namespace {

[[noreturn]] void refuse_unknown(std::string_view word, std::span<const Flag> flags) {
  std::vector<std::string_view> known;
  for (const Flag& f : flags) known.push_back(word.starts_with("--") || f.letter.empty() ? f.name : f.letter);
  const std::string near = nearest(word, known);
  Error fault(Kind::usage, say("there is no flag {}", word));
  throw near.empty() ? fault : fault.hint(say("did you mean {}? --help lists all flags", near));
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(by, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

template <class Number>
Number within(std::string_view flag, const std::string& given, Number least, Number most) {
  const auto value = parse_number<Number>(given);
  if (value && *value >= least && *value <= most) return *value;  // NaN is not
  const bool open = most == std::numeric_limits<Number>::max();
  throw Error(Kind::usage, say("{} takes a number", flag))
      .expected(open ? fmt::format(">= {}", least) : fmt::format("{} ... {}", least, most))
      .found(given);
}

}  // namespace

Arguments::Arguments(std::span<const std::string> words, std::span<const Flag> flags, std::string_view operands)
    : flags_(flags) {
  bool only_operands = false;
  for (size_t at = 0; at < words.size(); ++at) {
    if (only_operands || words[at].size() < 2 || words[at][0] != '-')
      operands_.push_back(words[at]);
    else if (words[at] == "--")
      only_operands = true;
    else
      take_flag(words, at);
  }
  if (!has("--help")) check_operands(operands);
}

void Arguments::take_flag(std::span<const std::string> words, size_t& at) {
  std::string_view word = words[at];
  std::optional<std::string> value;
  if (const size_t equals = word.find('='); word.starts_with("--") && equals != std::string_view::npos) {
    value = word.substr(equals + 1);
    word = word.substr(0, equals);
  }
  auto flag = std::ranges::find_if(flags_, [&](const Flag& f) { return f.name == word || f.letter == word; });
  if (flag == flags_.end()) refuse_unknown(word, flags_);
  if (flag->value.empty() && value) throw Error(Kind::usage, say("{} takes no value", word)).found(*value);
  if (!flag->value.empty() && !value) {
    if (++at == words.size()) throw Error(Kind::usage, say("{} needs a value: {}", word, flag->value));
    value = words[at];
  }
  if (!flag->many && has(flag->name)) throw Error(Kind::usage, say("{} was given twice", word));
  given_.emplace_back(&*flag, value.value_or(""));
}

void Arguments::check_operands(std::string_view wanted) const {
  size_t least = 0, most = 0;
  if (!wanted.empty()) {
    for (std::string_view word : split(wanted, ' ')) {
      if (word.starts_with("..."))
        most = SIZE_MAX - 1;
      else
        ++most, least += !word.starts_with('[');
    }
  }
  if (operands_.size() < least) throw Error(Kind::usage, say("something is missing: {}", wanted));
  if (operands_.size() > most) throw Error(Kind::usage, say("one word too many: {}", operands_[most]));
}

Arguments Arguments::with_defaults(std::span<const std::string> words) const {
  const Arguments more(words, flags_, "...");
  Arguments all = *this;
  for (const auto& row : more.given_)
    if (!has(row.first->name)) all.given_.push_back(row);
  if (operands_.empty()) all.operands_ = more.operands_;
  return all;
}

bool Arguments::has(std::string_view flag) const {
  return std::ranges::any_of(given_, [&](auto& g) { return g.first->name == flag; });
}

std::optional<std::string> Arguments::text(std::string_view flag) const {
  for (auto& [f, value] : given_)
    if (f->name == flag) return value;
  return {};
}

std::string Arguments::text(std::string_view flag, std::string_view fallback) const {
  return text(flag).value_or(std::string(fallback));
}

std::vector<std::string> Arguments::texts(std::string_view flag) const {
  std::vector<std::string> all;
  for (auto& [f, value] : given_)
    if (f->name == flag) all.push_back(value);
  return all;
}

std::optional<int64_t> Arguments::integer(std::string_view flag, int64_t least, int64_t most) const {
  auto given = text(flag);
  return given ? std::optional(within(flag, *given, least, most)) : std::nullopt;
}

int64_t Arguments::integer(std::string_view flag, int64_t fallback, int64_t least, int64_t most) const {
  return integer(flag, least, most).value_or(fallback);
}

std::vector<int64_t> Arguments::integers(std::string_view flag, int64_t least, int64_t most) const {
  std::vector<int64_t> all;
  for (const std::string& given : texts(flag)) all.push_back(within(flag, given, least, most));
  return all;
}

std::optional<double> Arguments::real(std::string_view flag, double least, double most) const {
  auto given = text(flag);
  return given ? std::optional(within(flag, *given, least, most)) : std::nullopt;
}

std::optional<std::string> Arguments::choice(std::string_view flag) const {
  auto given = text(flag);
  if (!given) return {};
  auto row = std::ranges::find_if(flags_, [&](const Flag& f) { return f.name == flag; });
  const auto words = split(row->value, '|');
  if (std::ranges::find(words, *given) != words.end()) return given;
  Error fault(Kind::usage, say("{} does not take this value", flag));
  throw fault.expected(std::string(row->value)).found(*given).hint(say("did you mean {}?", nearest(*given, words)));
}

std::vector<int32_t> parse_ids(std::string_view text, const std::string& where) {
  constexpr std::string_view gaps = ", \t\r\n[]";
  std::vector<int32_t> ids;
  for (size_t at = text.find_first_not_of(gaps); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(gaps, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    const auto id = parse_number<int32_t>(word);
    if (!id)
      throw Error(Kind::usage, say("a token id is a whole number")).at(where).found(std::string(word.substr(0, 40)));
    ids.push_back(*id);
    at = text.find_first_not_of(gaps, end);
  }
  return ids;
}

}  // namespace madang
