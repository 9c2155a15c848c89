// madang tokenize: text to token ids and back, as the model's own tokenizer does it.
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/opening.h"
#include "text/unicode.h"

namespace madang {
namespace {

TiktokenExtras tiktoken_extras(const Arguments& arguments) {
  TiktokenExtras extras;
  extras.pattern = arguments.text("--pattern", "");
  const auto given = arguments.text("--special-tokens");
  if (!given) return extras;
  const Json special = parse_json(*given, "--special-tokens");
  for (const auto& [name, id] : special.items()) {
    if (!special.is_object() || !id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > INT32_MAX)
      throw Error(Kind::usage, say("special tokens are given as one object: {{\"NAME\": ID, ...}}"))
          .at("--special-tokens");
    extras.special.emplace_back(name, id.get<int32_t>());
  }
  return extras;
}

struct Work {
  const Tokenizer& tokenizer;
  bool bos, special;

  std::vector<int32_t> encode(std::string_view text) const {
    std::vector<int32_t> ids = tokenizer.encode(text, special);
    if (!bos) return ids;
    if (!tokenizer.bos()) throw Error(Kind::missing, say("this tokenizer has no token for the beginning of a text"));
    ids.insert(ids.begin(), *tokenizer.bos());
    return ids;
  }
};

std::vector<int32_t> ids_of(const Json& line, const std::string& where) {
  std::vector<int32_t> ids;
  const bool fits = line.is_object() && line.contains("ids") && line["ids"].is_array();
  for (const Json& id : fits ? line["ids"] : Json::array({nullptr})) {
    if (!id.is_number_integer() || id.get<int64_t>() < INT32_MIN || id.get<int64_t>() > INT32_MAX)
      throw Error(Kind::usage, say("every line must be {{\"ids\": [numbers]}}")).at(where);
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

Json answer(const Work& work, const Json& line, bool decode, const std::string& where) {
  if (decode) return Json{{"text", work.tokenizer.decode(ids_of(line, where))}};
  if (!line.is_object() || !line.contains("text") || !line["text"].is_string())
    throw Error(Kind::usage, say("every line must be {{\"text\": \"...\"}}")).at(where);
  return Json{{"ids", work.encode(line["text"].get_ref<const std::string&>())}};
}

void answer_lines(const Work& work, bool decode, Surroundings& around) {
  std::string line;
  for (int64_t number = 1; std::getline(*around.in, line); ++number) {
    if (line.empty()) continue;
    const std::string where = fmt::format("stdin:{}", number);
    *around.out << answer(work, parse_json(line, where), decode, where).dump(-1, ' ', true) << '\n';
    if (around.in_terminal) around.out->flush();
  }
}

void show_pieces(const Work& work, const std::vector<int32_t>& ids, Surroundings& around) {
  for (int32_t id : ids) {
    const std::string bytes = work.tokenizer.token_bytes(id);
    // Quoted as JSON where it is text; a part of a character is shown as its bytes.
    std::string shown = is_valid_utf8(bytes) ? Json(bytes).dump() : "";
    if (shown.empty())
      for (unsigned char b : bytes) shown += fmt::format("\\x{:02x}", b);
    *around.out << fmt::format("{:>8}  {}\n", id, shown);
  }
}

int run(const Arguments& arguments, Surroundings& around) {
  const auto tokenizer = open_tokenizer(find_model(around, arguments.operands()[0]), tiktoken_extras(arguments));
  const Work work{*tokenizer, arguments.has("--bos"), arguments.has("--special")};
  const bool decode = arguments.has("--decode");
  if (arguments.has("--jsonl")) return answer_lines(work, decode, around), 0;
  const std::string text = arguments.has("--text") ? *arguments.text("--text") : read_all(*around.in);
  if (decode) return *around.out << tokenizer->decode(parse_ids(text, "stdin")), 0;
  const auto ids = work.encode(text);
  if (arguments.has("--pieces")) return show_pieces(work, ids, around), 0;
  for (size_t i = 0; i < ids.size(); ++i) *around.out << (i ? "," : "") << ids[i];
  *around.out << '\n';
  return 0;
}

}  // namespace

Command tokenize_command() {
  return {
      .name = "tokenize",
      .operands = "PATH",
      .summary = say("text to token ids and back"),
      .about = {say(
          "PATH is a model, or a tokenizer.json, tokenizer.model, *.tiktoken or RWKV vocabulary file. The text "
          "comes from standard input. No BOS is added unless --bos says so, and names of special tokens in the "
          "text are plain text unless --special says otherwise.")},
      .flags = {{"--jsonl", "", "",
                 say("a line of {{\"text\"}} in, a line of {{\"ids\"}} out; with --decode the other way round")},
                {"--decode", "-d", "", say("ids in, text out")},
                {"--text", "-p", "TEXT", say("this text in place of standard input")},
                {"--pieces", "", "", say("one line for each token: its id and what it stands for")},
                {"--bos", "", "", say("begin with the token for the beginning of a text")},
                {"--special", "", "", say("names of special tokens in the text are those tokens")},
                {"--pattern", "", "P", say("for .tiktoken files: the pattern that splits the text")},
                {"--special-tokens", "", "JSON", say("for .tiktoken files: special tokens as {{\"NAME\": ID, ...}}")}},
      .examples = {{"madang tokenize smollm2-135m-instruct --pieces -p \"안녕하세요\"",
                    say("see how a sentence is cut")},
                   {"madang tokenize tokenizer.json <book.txt | tr , '\\n' | wc -l", say("count the tokens of a book")},
                   {"echo 1,2,3 | madang tokenize ./model --decode", say("what these ids say")}},
      .run = run,
  };
}

}  // namespace madang
