// All commands, in the order in which help shows them; a new one is a file of its own and a row here.
#include "cli/commands.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>

#include "base/nearest.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/terminal.h"

namespace madang {

std::vector<Command> commands() {
  return {chat_command(),     run_command(),     serve_command(),      inspect_command(),  tokenize_command(),
          template_command(), logits_command(),  perplexity_command(), quantize_command(), imatrix_command(),
          convert_command(),  verify_command(),  upscale_command(),    merge_command(),    bench_command(),
          cpu_command(),      pull_command(),    list_command(),       rm_command(),       completion_command(),
          help_command(),     version_command(), words_command()};
}

std::vector<Flag> universal_flags() {
  return {{"--help", "-h", "", say("show this help")},
          {"--lang", "", "en|ko", say("the language of messages (else the locale's)")}};
}

namespace {

// --lang is looked for before all else, so that faults in the other words are told in that language too.
void choose_language(const std::vector<std::string>& words, Surroundings& around) {
  for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    std::string_view value;
    if (words[i].starts_with("--lang="))
      value = std::string_view(words[i]).substr(7);
    else if (words[i] == "--lang" && i + 1 < words.size())
      value = words[i + 1];
    if (value == "ko") around.language = Language::korean;
    if (value == "en") around.language = Language::english;
  }
}

const Command& find_command(const std::vector<Command>& all, std::string_view name) {
  auto found = std::ranges::find(all, name, &Command::name);
  if (found != all.end()) return *found;
  std::vector<std::string_view> known;
  for (const Command& c : all)
    if (!c.hidden) known.push_back(c.name);
  throw Error(Kind::usage, say("there is no command {}", name))
      .hint(say("did you mean {}? `madang help` lists all commands", nearest(name, known)));
}

int run_found(const std::vector<Command>& all, std::span<const std::string> words, Surroundings& around) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h") return show_overview(around, all), 0;
  if (words[0] == "--version") return find_command(all, "version").run(Arguments({}, {}, ""), around);
  if (words[0].starts_with("--lang"))
    return run_found(all, words.subspan(std::min(words.size(), words[0] == "--lang" ? size_t{2} : size_t{1})), around);
  const Command& command = find_command(all, words[0]);
  std::vector<Flag> flags = command.flags;
  std::ranges::copy(universal_flags(), std::back_inserter(flags));
  const Arguments arguments(words.subspan(1), flags, command.operands);
  arguments.choice("--lang");
  if (arguments.has("--help")) return show_help(around, command), 0;
  return command.run(arguments, around);
}

int tell(Surroundings& around, const Error& fault) {
  around.out->flush();
  *around.err << styled(around, Style::warning, "madang: ") << fault.render(around.language) << std::endl;
  return static_cast<int>(fault.kind());
}

}  // namespace

int run_words(const std::vector<std::string>& words, Surroundings& around) {
  choose_language(words, around);
  const auto all = commands();
  try {
    int code = run_found(all, words, around);
    around.out->flush();
    if (!*around.out) throw Error(Kind::io, say("the output could not be written"));
    return code;
  } catch (const Stopped& fault) {
    tell(around, fault);
    return 130;  // as the shell says of Ctrl-C
  } catch (const Error& fault) {
    return tell(around, fault);
  } catch (const std::bad_alloc&) {
    return tell(around, Error(Kind::limit, say("there is not enough memory")));
  } catch (const std::exception& fault) {
    return tell(around, Error(Kind::internal, say("a fault of madang itself: {}", fault.what())));
  }
}

int run_command_line(int argc, char** argv) {
  Surroundings around = read_surroundings();
  return run_words({argv + std::min(argc, 1), argv + argc}, around);
}

}  // namespace madang
