// madang chat: a conversation in the terminal. Ctrl-C stops an answer, never the program.
#include <iostream>

#include "base/disk.h"
#include "base/error.h"
#include "base/json.h"
#include "base/nearest.h"
#include "chat/answer.h"
#include "chat/conversation.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/line_editor.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "text/unicode.h"

namespace madang {
namespace {

class Chat {
 public:
  Chat(const Arguments& arguments, Surroundings& around, std::shared_ptr<const Checkpoint> checkpoint,
       const EngineOptions& options)
      : around_(around),
        checkpoint_(std::move(checkpoint)),
        conversation_(*checkpoint_, arguments.has("--raw")),
        engine_(*checkpoint_, options),
        sampler_(sampler_options(arguments, checkpoint_->defaults())),
        stops_(arguments.texts("--stop")),
        max_tokens_(arguments.integer("--max-tokens", 0, 1, INT32_MAX)),
        editor_(around) {
    if (const auto system = arguments.text("--system")) conversation_.set_system(repair_utf8(*system));
    if (arguments.has("--no-think")) conversation_.set_variable("enable_thinking", false);
  }

  int run() {
    greet();
    while (const auto text = read_message()) {
      if (text->empty()) continue;
      editor_.remember(*text);
      try {
        if (!text->starts_with('/'))
          reply(*text);
        else if (!command(*text))
          break;
      } catch (const Error& fault) {
        note(fault.render(around_.language), Style::warning);
      }
    }
    if (around_.in_terminal) *around_.out << std::endl;
    return 0;
  }

 private:
  void note(const std::string& text, Style style = Style::dim) {
    *around_.err << styled(around_, style, text) << std::endl;
  }
  void note(const Text& text) { note(around_.words(text)); }

  void greet() {
    if (!around_.in_terminal) return;
    note(fmt::format("madang · {} · {} · {}", checkpoint_->name(),
                     human_bytes(static_cast<double>(checkpoint_->source().file_bytes())),
                     around_.words(say("context {} tokens", engine_.context()))));
    if (conversation_.plain())
      note(say("This model has no chat template: it goes on with what is written, as plain text."));
    note(say("/help lists the commands. Ctrl-C stops an answer, Ctrl-D ends the chat."));
  }

  // Lines until one does not end in a backslash; """ opens and closes a text of many lines.
  std::optional<std::string> read_message() {
    std::string text;
    bool block = false;
    for (bool first = true;; first = false) {
      const auto line = editor_.read(first ? "> " : "… ");
      if (line.end == LineEditor::End::closed) return text.empty() ? std::nullopt : std::optional(text);
      if (line.end == LineEditor::End::interrupted) {
        if (first && warned_) return std::nullopt;
        warned_ = first;
        *around_.out << '\n';
        if (first) note(say("(Ctrl-C once more, or Ctrl-D, ends the chat)"));
        return "";
      }
      warned_ = false;
      std::string_view part = line.text;
      if (first && part.starts_with("\"\"\"")) block = true, part.remove_prefix(3);
      const bool closes = block && part.ends_with("\"\"\"");
      if (closes) part.remove_suffix(3);
      const bool continued = !block && part.ends_with('\\') && around_.in_terminal;
      if (continued) part.remove_suffix(1);
      const bool goes_on = block ? !closes : continued || editor_.pending();
      text += part;
      if (!goes_on) return repair_utf8(text);
      text += '\n';
    }
  }

  void reply(const std::string& text) {
    conversation_.add_user(text);
    try {
      const Prompt prompt = conversation_.prompt();
      Request request{.prompt = prompt.ids, .sampler = sampler_};
      request.marks = prompt.marks;
      request.max_tokens = max_tokens_;
      request.ends = checkpoint_->defaults().ends;
      request.stops = stops_;
      bool thinking = false;
      while (interrupt_.pressed()) {  // what was pressed while nobody answered
      }
      const HiddenKeys hidden(around_);
      const Answer a =
          answer(engine_, std::move(request), prompt.text, !conversation_.plain(), [&](const AnswerParts& parts) {
            if (!parts.reasoning.empty())
              *around_.out << styled(around_, Style::dim, parts.reasoning) << std::flush, thinking = true;
            if (!parts.text.empty() && std::exchange(thinking, false)) *around_.out << "\n\n";
            *around_.out << parts.text << std::flush;
            return !interrupt_.pressed();
          });
      ++sampler_.seed;  // the next answer draws anew, and the whole chat follows from the first seed
      conversation_.add_assistant(a.text, a.reasoning);
      *around_.out << std::endl;
      tell_status(a);
    } catch (const Error&) {
      conversation_.drop_last();  // what was refused was not said
      throw;
    }
  }

  void tell_status(const Answer& a) {
    if (a.finish == Finish::cancelled) note(say("(stopped)"));
    if (a.finish == Finish::context)
      note(say("The context of {} tokens is full: the answer ends here. /reset begins anew.", engine_.context()));
    if (!around_.out_terminal) return;
    std::string line = around_.words(say("{} tokens", a.usage.answer));
    if (a.tokens_per_second() > 0)
      line += fmt::format(" · {:.1f} {}", a.tokens_per_second(), around_.words(say("tokens/s")));
    line += " · " + around_.words(say("context {} of {}", a.usage.prompt + a.usage.answer, engine_.context()));
    if (a.usage.reused > 0) line += " · " + around_.words(say("{} reused", a.usage.reused));
    if (a.usage.guessed > 0)
      line += " · " + around_.words(say("{} of {} guesses right", a.usage.accepted, a.usage.guessed));
    note(line);
  }

  // False: the chat is over.
  bool command(const std::string& line) {
    const size_t end = std::min(line.find_first_of(" \n"), line.size());
    const std::string_view name = std::string_view(line).substr(0, end);
    const size_t from = line.find_first_not_of(" \n", end);
    const std::string rest = from == std::string::npos ? "" : line.substr(from);
    if (name == "/help") return help(), true;
    if (name == "/system") return system(rest), true;
    if (name == "/reset") return conversation_.reset(), note(say("The conversation begins anew.")), true;
    if (name == "/save") return save(rest), true;
    if (name == "/load") return load(rest), true;
    if (name == "/quit" || name == "/exit") return false;
    constexpr std::string_view known[] = {"/help", "/system", "/reset", "/save", "/load", "/quit"};
    throw Error(Kind::usage, say("there is no command {}", name))
        .hint(say("did you mean {}? /help lists all", nearest(name, known)));
  }

  void help() {
    const std::pair<const char*, Text> lines[] = {
        {"/system TEXT", say("set the system prompt (nothing: show it; -: none)")},
        {"/reset", say("begin anew; the system prompt stays")},
        {"/save FILE", say("write the conversation to a JSON file")},
        {"/load FILE", say("go on with a saved conversation")},
        {"/quit", say("end the chat (as Ctrl-D does)")},
        {"\\", say("at the end of a line: the message goes on")},
        {"\"\"\"", say("opens and closes a message of many lines")},
    };
    for (const auto& [words, what] : lines) *around_.err << "  " << padded(words, 14) << around_.words(what) << '\n';
    *around_.err << std::flush;
  }

  void system(const std::string& text) {
    if (text.empty())
      return note(conversation_.system().empty() ? around_.words(say("There is no system prompt."))
                                                 : conversation_.system());
    conversation_.set_system(text == "-" ? "" : text);
    note(say("The system prompt is set."));
  }

  void save(const std::string& path) {
    if (path.empty()) throw Error(Kind::usage, say("{} needs a file name", "/save"));
    write_whole(path, Json{{"model", checkpoint_->name()}, {"messages", conversation_.messages()}}.dump(2) + "\n");
    note(say("Saved to {}.", path));
  }

  void load(const std::string& path) {
    if (path.empty()) throw Error(Kind::usage, say("{} needs a file name", "/load"));
    Json saved = read_json(path);
    if (!saved.is_object() || !saved.contains("messages"))
      throw Error(Kind::format, say("this is no saved conversation")).at(path);
    conversation_.replace(saved["messages"], path);
    note(say("{} messages loaded.", conversation_.messages().size()));
  }

  Surroundings& around_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  Conversation conversation_;
  Interrupt interrupt_;  // before the engine, whose threads are not to see the signal
  Engine engine_;
  SamplerOptions sampler_;
  std::vector<std::string> stops_;
  int64_t max_tokens_;
  LineEditor editor_;
  bool warned_ = false;
};

int run(const Arguments& arguments, Surroundings& around) {
  const std::string model =
      arguments.operands().empty() ? std::string(catalogue().front().name) : arguments.operands()[0];
  const auto checkpoint = open_checkpoint(arguments, around, model);
  if (around.err_terminal) {
    ProgressBar bar(around);
    warm_up(checkpoint->source(), bar.listener());
  }
  EngineOptions options;
  options.work = work_options(arguments, around, Compute::fast);
  options.kv = kv_type(arguments, KvType::f16);
  options.context = arguments.integer("--ctx", 0, 1, INT32_MAX);
  add_guesser(options, arguments, around, *checkpoint);
  return Chat(arguments, around, checkpoint, options).run();
}

}  // namespace

Command chat_command() {
  return {
      .name = "chat",
      .operands = "[MODEL]",
      .summary = say("talk with a model"),
      .about = {say(
          "Talks with a model through its own chat template. Without MODEL it is the small default one. Reasoning "
          "is shown apart. Nothing that is said is written to disk unless /save asks for it.")},
      .flags = joined(
          joined({{"--system", "-s", "TEXT", say("a system prompt")},
                  {"--raw", "", "", say("without the chat template")},
                  {"--no-think", "", "", say("ask models that reason not to (enable_thinking)")},
                  {"--max-tokens", "-n", "N", say("at most N tokens of answer")},
                  {"--ctx", "-c", "N", say("tokens that prompt and answer may have together (else the model's own)")}},
                 joined(sampling_flags(), guess_flags())),
          joined(joined(adapter_flags(), {{"--config", "", "FILE", say("a config.json in place of the model's own")}}),
                 work_flags(true))),
      .examples = {{"madang chat", say("with the default model")},
                   {"madang chat ./model.gguf -s \"Answer in one sentence.\"", say("with a file, and a system prompt")},
                   {"madang chat --temperature 0", say("always the likeliest answer")},
                   {"madang chat ./model-7b --draft-model ./model-500m", say("faster with a small model's help")}},
      .run = run,
  };
}

}  // namespace madang
