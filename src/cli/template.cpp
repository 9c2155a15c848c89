// madang template: the exact text a chat template makes of given variables.
#include <filesystem>
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

// A folder, a GGUF or any other file of weights is a model; what is left is a template's own text.
bool holds_template_text(const std::string& path) {
  if (!fs::is_regular_file(path)) return false;
  const std::string ending = fs::path(path).extension().string();
  return ending == ".jinja" || ending == ".jinja2" || ending == ".j2" || ending == ".txt" || ending == ".tmpl";
}

ChatTemplate open_template(const std::string& path) {
  if (holds_template_text(path)) return ChatTemplate(read_whole_file(path), path);
  const auto checkpoint = Checkpoint::open(path, {.weights = false});
  if (checkpoint->chat_template()) return *checkpoint->chat_template();
  throw Error(Kind::missing, say("this model has no chat template")).at(path);
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto input = arguments.text("--input");
  if (!input) throw Error(Kind::usage, say("{} is needed", "--input FILE.json"));
  const ChatTemplate chat_template = open_template(find_model(around, arguments.operands()[0]));
  const Json variables = *input == "-" ? parse_json(read_all(*around.in), "stdin") : read_json(*input);
  if (!variables.is_object())
    throw Error(Kind::usage, say("the input must be one object: the template's variables")).at(*input);
  RenderOptions options;
  if (auto now = arguments.text("--now")) options.now = parse_local_time(*now);
  *around.out << chat_template.render(variables, options);
  return 0;
}

}  // namespace

Command template_command() {
  return {
      .name = "template",
      .operands = "FILE|MODEL",
      .summary = say("the text that a chat template makes"),
      .about = {say("Writes exactly the rendered text, without a line end of its own. FILE is a template (*.jinja, "
                    "*.txt); of "
                    "a model its own template is taken. The keys of the input are the template's variables: messages, "
                    "tools, add_generation_prompt, bos_token and whatever else it reads."),
                say("If the template refuses (raise_exception), its message is shown and the exit code is 9.")},
      .flags = {{"--input", "", "FILE.json", say("the variables, as one JSON object (-: standard input)")},
                {"--now", "", "DATE", say("the time that the template is told, as 2026-03-09T14:05:06 (else: now)")}},
      .examples = {{"madang template smollm2-135m-instruct --input chat.json",
                    say("what the model is given for a conversation")},
                   {"madang template my.jinja --input chat.json --now 2026-03-09", say("try a template of your own")}},
      .run = run,
  };
}

}  // namespace madang
