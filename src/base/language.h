// The language a person reads: sentences are written once in English, beside the code that says them, and
// translated by tables under lang/ (one line a sentence). A sentence without a translation is shown in English;
// tests/base/language_test.cpp fails when one is missing.
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace madang {

enum class Language { english, korean };

/// The language asked for by the user's locale (the values of LC_ALL, LC_MESSAGES, LANG in that order, "" if unset).
Language language_of_locale(std::string_view locale);

/// A sentence with holes. `english` is a literal such as "tensor {} has {} axes"; a translation may reorder its
/// holes by number ({1} ... {0}).
struct Text {
  std::string_view english;
  std::vector<std::string> args;

  bool empty() const { return english.empty(); }
  std::string in(Language language) const;
};

/// say("tensor {} has {} axes", name, rank). The literal is the key of the translation.
template <class... Args>
Text say(const char* english, const Args&... args) {
  return Text{english, {fmt::format("{}", args)...}};
}

/// The translation table's sentence for an English one, or the English one itself.
std::string_view translated(std::string_view english, Language language);

}  // namespace madang
