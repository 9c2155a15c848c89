#include "base/language.h"

#include <charconv>
#include <unordered_map>

namespace madang {

// Written at build time from lang/ko/*.tsv by cmake/embed_language.cmake: pairs of english, korean; ends with null.
extern const char* const korean_sentences[];

namespace {

std::unordered_map<std::string_view, std::string_view> index_korean() {
  std::unordered_map<std::string_view, std::string_view> table;
  for (const char* const* p = korean_sentences; *p; p += 2) table.emplace(p[0], p[1]);
  return table;
}

// Fills {} in order and {N} by number; "{{" and "}}" are braces. An unknown hole stays as it is, so that a faulty
// translation never hides a fact.
std::string fill(std::string_view form, const std::vector<std::string>& args) {
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < form.size(); ++i) {
    if (i + 1 < form.size() && (form[i] == '{' || form[i] == '}') && form[i + 1] == form[i]) {
      out += form[i++];
      continue;
    }
    size_t end = form[i] == '{' ? form.find('}', i) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += form[i];
      continue;
    }
    size_t index = next;
    if (end > i + 1) {
      auto [p, fault] = std::from_chars(form.data() + i + 1, form.data() + end, index);
      if (fault != std::errc() || p != form.data() + end) index = args.size();
    } else {
      ++next;
    }
    if (index < args.size())
      out += args[index];
    else
      out.append(form.substr(i, end - i + 1));
    i = end;
  }
  return out;
}

}  // namespace

Language language_of_locale(std::string_view locale) {
  return locale.starts_with("ko") ? Language::korean : Language::english;
}

std::string_view translated(std::string_view english, Language language) {
  if (language == Language::english) return english;
  static const auto table = index_korean();
  auto found = table.find(english);
  return found == table.end() ? english : found->second;
}

std::string Text::in(Language language) const { return fill(translated(english, language), args); }

}  // namespace madang
