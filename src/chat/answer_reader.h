// An answer read as it comes: reasoning, text and tool calls told apart, in the form that the model's family writes
// them. Arguments of calls come on as they are written, as pieces of JSON text.
//
//   AnswerReader reader(family, prompt.text, tools, {.begun = prompt.begun});
//   for (...) send(reader.push(event.text));
//   send(reader.finish());
//
// However the text is cut into pieces, the deltas together are the same: the reader sees one byte after the other.
// Nothing a model writes makes it throw. What begins like a call and is none comes out as text, no byte lost. Once the
// name of a call is known and its arguments have begun, they are passed on as written, also if they are broken JSON or
// end too early: clients expect that of models. Blanks between text and calls belong to neither.
// Without tools in the request, markers of calls are plain text; channels (harmony) are understood nevertheless.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/families.h"

namespace madang {

struct ToolCallDelta {
  int index = 0;          ///< of the call in the answer
  std::string id, name;   ///< in the first delta of a call only
  std::string arguments;  ///< a piece of the JSON text
  bool operator==(const ToolCallDelta&) const = default;
};

struct AnswerDelta {
  std::string reasoning, text;
  std::vector<ToolCallDelta> calls;  ///< at most one for each call, by index
  bool empty() const { return reasoning.empty() && text.empty() && calls.empty(); }
  bool operator==(const AnswerDelta&) const = default;
};

struct ReaderOptions {
  bool parallel_tool_calls = true;  ///< false: what comes after the first call is dropped; see done()
  uint64_t seed = 0;                ///< of the calls' ids; the same seed gives the same ids
  std::string begun;                ///< Prompt::begun: what of the answer the prompt holds already
};

class AnswerReader {
 public:
  /// `prompt_text`: Prompt::text; its end tells whether reasoning is open already. `tools`: OpenAI's array, may be
  /// empty or null. What `begun` says comes with the first delta.
  AnswerReader(const ChatFamily& family, std::string_view prompt_text, const Json& tools, ReaderOptions options = {});
  ~AnswerReader();
  AnswerReader(AnswerReader&&) noexcept;
  AnswerReader& operator=(AnswerReader&&) noexcept;

  AnswerDelta push(std::string_view piece);
  /// The answer is over: what was held back. Nothing may be pushed after it.
  AnswerDelta finish();

  int calls() const;  ///< begun so far
  /// The one call that was allowed is complete: nothing more will come, so the caller may stop the model.
  bool done() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace madang
