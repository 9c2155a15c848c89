// Shell completion: scripts of a few lines that ask the program itself (`madang __words`) what may follow, so that they
// never fall behind its table of commands.
#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/opening.h"

namespace madang {
namespace {

constexpr std::string_view bash_script = R"sh(# madang completion for bash: source <(madang completion bash)
_madang() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" __words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$2"))
}
complete -o default -F _madang madang
)sh";

constexpr std::string_view zsh_script = R"sh(#compdef madang
# madang completion for zsh: source <(madang completion zsh)
_madang() {
  local -a found
  found=("${(@f)$(madang __words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(${found:#})
  compadd -- $found
  _files
}
compdef _madang madang
)sh";

constexpr std::string_view fish_script = R"sh(# madang completion for fish: madang completion fish | source
function __madang_words
  set -l words (commandline -opc) (commandline -ct)
  madang __words -- $words[2..-1] 2>/dev/null
end
complete -c madang -a '(__madang_words)'
)sh";

int run(const Arguments& arguments, Surroundings& around) {
  const std::string& shell = arguments.operands()[0];
  if (shell == "bash")
    *around.out << bash_script;
  else if (shell == "zsh")
    *around.out << zsh_script;
  else if (shell == "fish")
    *around.out << fish_script;
  else
    throw Error(Kind::usage, say("no completion for this shell")).expected("bash, zsh, fish").found(shell);
  return 0;
}

void add_values(std::string_view choices, std::vector<std::string>& found) {
  if (!choices.contains('|')) return;  // a number, a file: the shell's own business
  for (size_t at = 0; at < choices.size();) {
    const size_t end = std::min(choices.find('|', at), choices.size());
    found.emplace_back(choices.substr(at, end - at));
    at = end + 1;
  }
}

std::vector<std::string> candidates(const std::vector<std::string>& words, const Surroundings& around) {
  std::vector<std::string> found;
  const auto all = commands();
  if (words.size() < 2) {
    for (const Command& c : all)
      if (!c.hidden) found.emplace_back(c.name);
    return found;
  }
  auto command = std::ranges::find(all, words[0], &Command::name);
  if (command == all.end()) return found;
  std::vector<Flag> flags = joined(command->flags, universal_flags());
  const std::string& before = words[words.size() - 2];
  auto flag = std::ranges::find_if(flags, [&](const Flag& f) { return f.name == before || f.letter == before; });
  if (flag != flags.end() && !flag->value.empty()) return add_values(flag->value, found), found;
  if (words.back().starts_with("-")) {
    for (const Flag& f : flags) found.emplace_back(f.name);
    return found;
  }
  if (command->name == "completion") return {"bash", "zsh", "fish"};
  if (command->name == "help") return candidates({""}, around);
  const ModelStore store = open_store(around);
  if (command->name == "pull") {
    for (const CatalogueEntry& e : store.known()) found.emplace_back(e.name);
  } else if (command->operands.contains("MODEL") || command->operands.contains("NAME") || command->operands == "PATH") {
    for (const InstalledModel& m : store.list()) found.push_back(m.name);
  }
  return found;
}

int list_words(const Arguments& arguments, Surroundings& around) {
  for (const std::string& word : candidates(arguments.operands(), around)) *around.out << word << '\n';
  return 0;
}

}  // namespace

Command completion_command() {
  return {
      .name = "completion",
      .operands = "SHELL",
      .summary = say("what lets a shell complete madang's words with the Tab key"),
      .about = {say("Prints a script for bash, zsh or fish. It completes commands, flags, their values and the names "
                    "of models.")},
      .examples = {{"source <(madang completion bash)", say("for this shell; put the line into ~/.bashrc to keep it")},
                   {"madang completion fish >~/.config/fish/completions/madang.fish", say("for fish, for good")}},
      .run = run,
  };
}

Command words_command() {
  return {.name = "__words",
          .operands = "[WORD ...]",
          .summary = say("what may stand in place of the last word"),
          .run = list_words,
          .hidden = true};
}

}  // namespace madang
