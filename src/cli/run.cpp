// madang run: one prompt, one answer. For people in a hurry and for programs.
#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "chat/answer.h"
#include "chat/conversation.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/opening.h"
#include "cli/terminal.h"
#include "text/unicode.h"

namespace madang {
namespace {

std::string prompt_text(const Arguments& arguments, Surroundings& around) {
  const auto text = arguments.text("--prompt"), file = arguments.text("--file");
  if (text && file) throw Error(Kind::usage, say("one of {} and {} is needed", "--prompt", "--file"));
  if (file && *file != "-") return repair_utf8(read_whole_file(*file));
  if (text && *text != "-") return repair_utf8(*text);
  if (around.in_terminal && !text && !file)
    throw Error(Kind::usage, say("{} is needed", "--prompt TEXT")).hint(say("or let the prompt come through a pipe"));
  std::string piped = repair_utf8(read_all(*around.in));
  // A pipe's last line end is the shell's, not the asker's.
  if (piped.ends_with('\n')) piped.pop_back();
  return piped;
}

Prompt make_prompt(const Arguments& arguments, Surroundings& around, const Checkpoint& checkpoint) {
  Prompt prompt;
  if (const auto ids = arguments.text("--ids")) {
    prompt.ids = parse_ids(*ids, "--ids");
    return prompt;
  }
  Conversation conversation(checkpoint, arguments.has("--raw"));
  if (const auto system = arguments.text("--system")) conversation.set_system(repair_utf8(*system));
  if (arguments.has("--no-think")) conversation.set_variable("enable_thinking", false);
  conversation.add_user(prompt_text(arguments, around));
  return conversation.prompt();
}

Json as_json(const Checkpoint& c, const Answer& a, const SamplerOptions& sampler) {
  Json out = {{"model", c.name()}, {"text", a.text}};
  if (!a.reasoning.empty()) out["reasoning"] = a.reasoning;
  out["finish"] = name_of(a.finish);
  out["ids"] = a.ids;
  out["prompt_tokens"] = a.usage.prompt, out["answer_tokens"] = a.usage.answer;
  if (a.usage.guessed > 0) out["guesses"] = a.usage.guessed, out["guesses_right"] = a.usage.accepted;
  out["seed"] = sampler.seed;
  out["prompt_seconds"] = a.prompt_seconds, out["answer_seconds"] = a.answer_seconds;
  out["tokens_per_second"] = a.tokens_per_second();
  return out;
}

void show_ids(const std::vector<int32_t>& ids, Surroundings& around) {
  for (size_t i = 0; i < ids.size(); ++i) *around.out << (i ? "," : "") << ids[i];
  *around.out << '\n';
}

// The answer goes to standard output; what the model thought, where it can be seen and not be piped on.
class Writer {
 public:
  Writer(Surroundings& around, bool quiet) : around_(around), quiet_(quiet) {}
  void write(const AnswerParts& parts) {
    if (quiet_) return;
    if (around_.err_terminal) *around_.err << styled(around_, Style::dim, parts.reasoning) << std::flush;
    thought_ |= !parts.reasoning.empty();
    if (parts.text.empty()) return;
    if (std::exchange(thought_, false) && around_.err_terminal) *around_.err << "\n\n" << std::flush;
    *around_.out << parts.text << std::flush;
  }

 private:
  Surroundings& around_;
  bool quiet_, thought_ = false;
};

int run(const Arguments& arguments, Surroundings& around) {
  const auto checkpoint = open_checkpoint(arguments, around, arguments.operands()[0]);
  const Prompt prompt = make_prompt(arguments, around, *checkpoint);
  Interrupt interrupt;
  EngineOptions options;
  options.work = work_options(arguments, around, Compute::fast);
  options.kv = kv_type(arguments, KvType::f16);
  options.context = arguments.integer("--ctx", 0, 1, INT32_MAX);
  options.cache_bytes = 0;  // there is no second turn
  add_guesser(options, arguments, around, *checkpoint);
  Engine engine(*checkpoint, options);
  Request request{.prompt = prompt.ids, .sampler = sampler_options(arguments, checkpoint->defaults())};
  request.max_tokens = arguments.integer("--max-tokens", 0, 1, INT32_MAX);
  if (!arguments.has("--ignore-end")) request.ends = checkpoint->defaults().ends;
  request.stops = arguments.texts("--stop");
  const SamplerOptions sampler = request.sampler;
  const bool json = arguments.has("--json"), ids_only = arguments.has("--ids") && !checkpoint->tokenizer();
  Writer writer(around, json || ids_only);
  const Answer a =
      answer(engine, std::move(request), prompt.text, !arguments.has("--raw"), [&](const AnswerParts& parts) {
        writer.write(parts);
        return !interrupt.pressed();
      });
  if (json)
    *around.out << as_json(*checkpoint, a, sampler).dump() << '\n';
  else if (ids_only)
    show_ids(a.ids, around);
  else if (around.out_terminal && !a.text.ends_with('\n'))
    *around.out << '\n';
  if (a.finish == Finish::context)
    *around.err << around.words(say("The context of {} tokens is full: the answer ends here.", engine.context()))
                << std::endl;
  return a.finish == Finish::cancelled ? 130 : a.finish == Finish::context ? static_cast<int>(Kind::limit) : 0;
}

}  // namespace

Command run_command() {
  return {
      .name = "run",
      .operands = "MODEL",
      .summary = say("one prompt, one answer"),
      .about =
          {say("The prompt comes from --prompt, a file, or a pipe. Models with a chat template are asked through it; "
               "--raw lets the model go on with the text itself. The answer is written exactly, as it comes; "
               "reasoning is shown on terminals only."),
           say("The exit code is 7 if the context was full before the answer ended, 130 after Ctrl-C.")},
      .flags = joined(
          joined({{"--prompt", "-p", "TEXT", say("the prompt (-: standard input)")},
                  {"--file", "-f", "FILE", say("the prompt from a file")},
                  {"--ids", "", "1,2,3", say("the prompt as token ids (for models without tokenizer)")},
                  {"--system", "-s", "TEXT", say("a system prompt")},
                  {"--raw", "", "", say("without the chat template")},
                  {"--no-think", "", "", say("ask models that reason not to (enable_thinking)")},
                  {"--max-tokens", "-n", "N", say("at most N tokens of answer")},
                  {"--ignore-end", "", "", say("go on after the token that ends an answer")},
                  {"--ctx", "-c", "N", say("tokens that prompt and answer may have together (else the model's own)")},
                  {"--json", "", "", say("one line of JSON: text, ids, why it ended, times")}},
                 joined(sampling_flags(), guess_flags())),
          joined(joined(adapter_flags(), {{"--config", "", "FILE", say("a config.json in place of the model's own")}}),
                 work_flags(true))),
      .examples = {{"madang run smollm2-135m-instruct -p \"What is a yard?\"", say("ask once")},
                   {"madang run gemma3-270m --raw -p \"옛날 옛적에\" -n 50", say("let a base model go on with a text")},
                   {"madang run ./model --lora ./adapter -p \"Hello\"", say("with what an adapter learned")},
                   {"cat mail.txt | madang run ./model -s \"Summarize in one sentence.\"", say("through a pipe")},
                   {"madang run ./model -f letter.txt -s \"Correct the spelling.\" --prompt-lookup",
                    say("faster where the answer repeats the prompt")},
                   {"madang run ./model-7b -p Hi --draft-model ./model-500m", say("faster with a small model's help")},
                   {"madang run ./model -p Hi --seed 1 --json | jq .tokens_per_second",
                    say("for programs, repeatable")}},
      .run = run,
  };
}

}  // namespace madang
