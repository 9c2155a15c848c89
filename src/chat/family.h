// What a family's file fills in, and the pieces that families share: where a call begins, where it ends, what it says.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace madang {

struct ParsedCall {
  std::string name, arguments;  ///< arguments: JSON text
};

constexpr size_t not_yet = 0, no_call = std::string_view::npos;

/// The beginning of a call whose arguments are JSON text: once it is found, they can be passed on as they come.
struct CallHead {
  enum class Is { unknown, none, found } is = Is::unknown;  ///< none: the call is read as a whole, if it is one
  std::string name = {};
  size_t arguments = 0;  ///< where their opening brace stands
};

/// What follows the arguments' closing brace, as far as it belongs to the call.
struct CallTail {
  enum class Is { unknown, over, next } is = Is::unknown;  ///< next: behind it another call of the same list begins
  size_t size = 0;
};

struct ChatFamily {
  std::string_view name;
  /// Whether a model is of this family, by its template and its tokens (null: none known).
  bool (*fits)(std::string_view template_text, const Tokenizer* tokenizer);
  /// Texts with which a call begins.
  std::vector<std::string_view> openings;
  /// Those count only as the first thing of an answer, and only for functions that the request named: they are also how
  /// ordinary answers may begin.
  bool bare = false;
  /// How many bytes from the opening on make a whole call (or list of calls): not_yet while more must come, no_call if
  /// it cannot become one. More text never changes an answer once given.
  size_t (*length)(std::string_view body) = nullptr;
  /// The calls of such a body; none if it is text after all. `cut`: the answer ended inside it; what is there of
  /// the arguments is taken.
  std::vector<ParsedCall> (*calls)(std::string_view body, bool cut) = nullptr;
  /// The same for arguments that are passed on as they come; null: read whole only. A body is what begins with an
  /// opening, or with what a tail has called the next. More text never changes an answer other than unknown.
  CallHead (*head)(std::string_view body) = nullptr;
  CallTail (*tail)(std::string_view rest) = nullptr;
  /// What an answer begins with so that it calls `function` ("": any); behind it and the arguments comes `ending`.
  std::string (*forced)(std::string_view function) = nullptr;
  std::string_view ending = "}";
  /// Other special tokens that mean something to the reader: they are shown to it.
  std::vector<std::string_view> markers = {};
  /// Where every answer says to whom it is said (functionary): with what it begins for the user, and with what a
  /// template may have begun it already.
  std::string_view to_user = "", opened = "";
  /// Calls carry ids of nine letters and digits (Mistral); else "call_" and 24.
  bool short_ids = false;
  /// Messages in channels (harmony): openings and the rest above are not used.
  bool channels = false;
};

namespace families {

// In the order in which they are tried.
extern const ChatFamily harmony, mistral, mistral_args, deepseek, deepseek_31, dsml, kimi, command_r7b, command_r,
    phi4_mini, hyperclova, functionary, kanana, gemma_4, function_gemma, glm, lfm2, seed, hermes, llama, gemma, plain;

/// The end of the JSON value that begins at `from` (blanks skipped): one past its last byte; not_yet; no_call if there
/// is no object or array.
size_t json_end(std::string_view text, size_t from);
/// One past `close`, wherever it comes; not_yet.
size_t end_of(std::string_view text, std::string_view close);

/// What stands between two tags behind `at`, which moves past the second; where that is missing the rest, and `at`
/// npos.
std::string_view between(std::string_view text, size_t& at, std::string_view from, std::string_view to);

/// The head of a JSON call from `from` on, which may stand in a list.
CallHead json_head(std::string_view text, size_t from);
/// A name up to one of `ends`, then the arguments.
CallHead named_head(std::string_view text, size_t from, std::initializer_list<std::string_view> ends);
/// Other fields, the brace, a comma before the next call or the list's bracket, and one of `closings` if it is there.
CallTail json_tail(std::string_view rest, std::initializer_list<std::string_view> closings);
/// Only one of `closings`, if it is there.
CallTail closing_tail(std::string_view rest, std::initializer_list<std::string_view> closings);
/// The same for calls that end with all of `ends`, one after the other, before the next one's mark or the end of all.
CallTail marked_tail(std::string_view rest, std::initializer_list<std::string_view> ends, std::string_view close,
                     std::string_view next);
/// Bytes of `opening` at the beginning of `body`: all or none.
size_t skipped(std::string_view body, std::string_view opening);

/// Calls in JSON: an object or an array of them, with "name" ("tool_name", "function") and "arguments" ("parameters").
std::vector<ParsedCall> json_calls(std::string_view text, bool cut);
/// Calls as Python writes them: [f(a=1, b="x"), g()].
std::vector<ParsedCall> python_calls(std::string_view text, bool cut);
/// A name and the JSON text behind it, which may be cut off.
std::vector<ParsedCall> named_call(std::string_view name, std::string_view arguments, bool cut);

/// {"name": "f", "arguments": { with other words for both. The brace too: small models begin with a number otherwise.
std::string json_opening(std::string_view before, std::string_view function, std::string_view name = "name",
                         std::string_view arguments = "arguments");

std::string_view trimmed(std::string_view text);
bool contains(std::string_view text, std::string_view part);

}  // namespace families
}  // namespace madang
