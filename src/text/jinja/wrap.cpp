// textwrap's greedy filling: words, the blanks between them, and parts of hyphenated words are chunks.
#include "text/jinja/wrap.h"

#include <algorithm>
#include <deque>

#include "text/jinja/python_text.h"

namespace madang::jinja {
namespace {

bool is_blank(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }  // textwrap knows the ASCII ones only

// The parts of a word that may end a line: behind a hyphen between letters, as in well-known.
void cut_at_hyphens(const std::u32string& word, std::deque<std::u32string>& chunks) {
  size_t from = 0;
  for (size_t i = 2; i + 2 < word.size(); ++i) {
    bool letters = is_alpha(word[i - 1]) && is_alpha(word[i - 2]) && is_alpha(word[i + 1]) && is_alpha(word[i + 2]);
    if (word[i] != '-' || !letters || i - from < 2) continue;
    chunks.push_back(word.substr(from, i + 1 - from));
    from = i + 1;
  }
  chunks.push_back(word.substr(from));
}

std::deque<std::u32string> chunks_of(std::string_view line, bool break_on_hyphens) {
  std::deque<std::u32string> chunks;
  auto wide = characters(line);
  for (size_t at = 0; at < wide.size();) {
    size_t from = at;
    bool blank = is_blank(wide[at]);
    while (at < wide.size() && is_blank(wide[at]) == blank) ++at;
    auto chunk = wide.substr(from, at - from);
    if (!blank && break_on_hyphens)
      cut_at_hyphens(chunk, chunks);
    else
      chunks.push_back(std::move(chunk));
  }
  return chunks;
}

}  // namespace

std::vector<std::string> wrap(std::string_view line, size_t width, bool break_long_words, bool break_on_hyphens) {
  auto chunks = chunks_of(line, break_on_hyphens);
  auto blank = [](const std::u32string& chunk) { return is_blank(chunk[0]); };
  std::vector<std::string> lines;
  while (!chunks.empty()) {
    std::vector<std::u32string> now;
    size_t used = 0;
    if (!lines.empty() && blank(chunks.front())) chunks.pop_front();
    while (!chunks.empty() && used + chunks.front().size() <= width) {
      used += chunks.front().size();
      now.push_back(std::move(chunks.front()));
      chunks.pop_front();
    }
    if (!chunks.empty() && chunks.front().size() > width) {
      if (break_long_words) {
        size_t room = std::max<size_t>(width - used, used ? 0 : 1);
        now.push_back(chunks.front().substr(0, room));
        chunks.front().erase(0, room);
      } else if (now.empty()) {
        now.push_back(std::move(chunks.front()));
        chunks.pop_front();
      }
    }
    while (!now.empty() && (now.back().empty() || blank(now.back()))) now.pop_back();
    std::u32string whole;
    for (auto& chunk : now) whole += chunk;
    if (!whole.empty()) lines.push_back(encode(whole));
  }
  return lines;
}

}  // namespace madang::jinja
