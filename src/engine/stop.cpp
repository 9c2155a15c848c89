#include "engine/stop.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace madang {
namespace {

// Enough for any API that people use; each byte of text is held against all of them.
constexpr size_t most_stops = 64, longest_stop = 1024;

// The longest end of `text` that begins a stop text without being all of it.
size_t pending(std::string_view text, const std::vector<std::string>& stops) {
  size_t longest = 0;
  for (const std::string& stop : stops)
    for (size_t n = std::min(text.size(), stop.size() - 1); n > longest; --n)
      if (text.ends_with(std::string_view(stop).substr(0, n))) longest = n;
  return longest;
}

}  // namespace

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  if (stops_.size() > most_stops)
    throw Error(Kind::usage, say("there are too many stop texts"))
        .expected(fmt::format("<= {}", most_stops))
        .found(std::to_string(stops_.size()));
  for (const std::string& stop : stops_)
    if (stop.empty() || stop.size() > longest_stop)
      throw Error(Kind::usage, say("a stop text is empty or too long"))
          .expected(fmt::format("1 - {} B", longest_stop))
          .found(fmt::format("{} B", stop.size()));
}

std::string StopFilter::push(std::string_view text) {
  if (found_) return {};
  if (stops_.empty()) return std::string(text);
  std::string shown;
  for (char ch : text) {
    held_ += ch;
    size_t complete = 0;
    for (const std::string& stop : stops_)
      if (held_.ends_with(stop)) complete = std::max(complete, stop.size());
    found_ = complete > 0;
    const size_t ready = held_.size() - (found_ ? complete : pending(held_, stops_));
    shown.append(held_, 0, ready);
    held_.erase(0, ready);
    if (found_) break;
  }
  if (found_) text_ = std::exchange(held_, {});  // what is left of it is the stop text itself
  return shown;
}

std::string StopFilter::finish() { return std::exchange(held_, {}); }

}  // namespace madang
