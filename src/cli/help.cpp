#include "cli/help.h"

#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <utility>

#include "base/error.h"
#include "cli/terminal.h"

namespace madang {
namespace {

// Longer lines are hard to read, however wide the terminal is.
int text_columns() { return std::clamp(terminal_columns(STDOUT_FILENO), 40, 100); }

struct Page {
  const Surroundings& around;
  int columns = text_columns();

  void heading(const Text& text) const {
    *around.out << '\n' << styled(around, Style::bold, around.words(text)) << '\n';
  }
  void paragraph(const Text& text) const { *around.out << wrapped(around.words(text), columns, 0) << '\n'; }
  /// Two columns: words on the left, what they mean on the right.
  void rows(const std::vector<std::pair<std::string, std::string>>& all) const {
    int left = 0;
    for (auto& [word, meaning] : all) left = std::max(left, display_width(word));
    left = std::min(left, 30);
    for (auto& [word, meaning] : all) {
      *around.out << "  " << styled(around, Style::accent, padded(word, left));
      if (display_width(word) > left) *around.out << '\n' << std::string(static_cast<size_t>(left) + 2, ' ');
      *around.out << "  " << wrapped(meaning, columns, left + 4).substr(static_cast<size_t>(left) + 4) << '\n';
    }
  }
};

std::string flag_words(const Flag& flag) {
  std::string words = flag.letter.empty() ? "    " : std::string(flag.letter) + ", ";
  words += flag.name;
  if (!flag.value.empty()) words += " " + std::string(flag.value);
  return words;
}

void show_exit_codes(const Page& page) {
  const std::vector<std::pair<int, Text>> codes = {
      {0, say("all went well")},
      {static_cast<int>(Kind::usage), say("a command, flag or argument that madang does not take")},
      {static_cast<int>(Kind::missing), say("a file, model, tensor or key that is not there")},
      {static_cast<int>(Kind::format), say("a file that is not what it says: truncated, damaged, adversarial")},
      {static_cast<int>(Kind::unsupported), say("understood, and not built: an architecture, a format, a feature")},
      {static_cast<int>(Kind::mismatch), say("two things that must agree and do not: shapes, hashes, vocabularies")},
      {static_cast<int>(Kind::limit), say("a bound was met: context, memory, steps, disk")},
      {static_cast<int>(Kind::network), say("a server that did not answer as it should")},
      {static_cast<int>(Kind::refused), say("someone said no: a template, a licence, a server")},
      {static_cast<int>(Kind::io), say("the operating system said no")},
      {static_cast<int>(Kind::internal), say("a fault of madang itself: please report it")},
      {130, say("stopped with Ctrl-C")},
  };
  std::vector<std::pair<std::string, std::string>> rows;
  for (auto& [code, text] : codes) rows.emplace_back(std::to_string(code), page.around.words(text));
  page.heading(say("Exit codes"));
  page.rows(rows);
}

void show_variables(const Page& page) {
  const auto& around = page.around;
  page.heading(say("Environment"));
  page.rows({
      {"LC_ALL, LC_MESSAGES, LANG", around.words(say("the language of messages; --lang goes before them"))},
      {"MADANG_MODELS",
       around.words(say("the folder that keeps models (else madang/models in XDG_CACHE_HOME or ~/.cache)"))},
      {"MADANG_ISA", around.words(say("forces an instruction set: ref, avx2, avx512, amx, or a twin for tests"))},
      {"HF_ENDPOINT, HF_TOKEN", around.words(say("another hub than https://huggingface.co, and the token for it"))},
      {"NO_COLOR", around.words(say("no colours, if set to anything"))},
  });
}

}  // namespace

void show_overview(const Surroundings& around, std::span<const Command> commands) {
  const Page page{around};
  *around.out << styled(around, Style::bold, "madang") << "  "
              << around.words(say("runs open language models on your own machine")) << "\n\n"
              << around.words(say("Usage: {}", "madang COMMAND ...")) << '\n';
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command& c : commands)
    if (!c.hidden) rows.emplace_back(c.name, around.words(c.summary));
  page.heading(say("Commands"));
  page.rows(rows);
  page.heading(say("Begin with"));
  page.rows({{"madang pull smollm2-135m-instruct", around.words(say("fetch a small model (98 MB)"))},
             {"madang chat", around.words(say("talk with it"))},
             {"madang chat --help", around.words(say("what a command can do, with examples"))}});
  *around.out << '\n';
  page.paragraph(say("MODEL is a folder, a file, or a name that `madang list` shows."));
  show_variables(page);
  show_exit_codes(page);
}

void show_help(const Surroundings& around, const Command& command) {
  const Page page{around};
  std::string usage = "madang " + std::string(command.name);
  if (!command.operands.empty()) usage += " " + std::string(command.operands);
  *around.out << styled(around, Style::bold, "madang " + std::string(command.name)) << "  "
              << around.words(command.summary) << "\n\n"
              << around.words(say("Usage: {}", usage + (command.flags.empty() ? "" : " [FLAG ...]"))) << '\n';
  for (const Text& text : command.about) {
    *around.out << '\n';
    page.paragraph(text);
  }
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Flag& f : command.flags) rows.emplace_back(flag_words(f), around.words(f.help));
  for (const Flag& f : universal_flags()) rows.emplace_back(flag_words(f), around.words(f.help));
  page.heading(say("Flags"));
  page.rows(rows);
  if (!command.examples.empty()) page.heading(say("Examples"));
  for (const Example& e : command.examples)
    *around.out << "  " << styled(around, Style::accent, e.line) << '\n'
                << wrapped(around.words(e.what), page.columns, 6) << '\n';
  *around.out << '\n';
  page.paragraph(say("Exit codes and environment variables: madang help"));
}

}  // namespace madang
