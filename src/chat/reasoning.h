// What a model thinks aloud, told apart from what it answers. Models write their reasoning between markers at the very
// beginning of an answer; which ones is their family's habit (the table in reasoning.cpp). Markers later in the text
// are text: who asks about "<think>" gets to read it.
// However the text is cut into pieces, what comes out is the same. Refuses nothing.
#pragma once
#include <string>
#include <string_view>

namespace madang {

struct AnswerParts {
  std::string reasoning, text;
  bool operator==(const AnswerParts&) const = default;
};

class ReasoningSplitter {
 public:
  /// `prompt`: its end tells whether the template has opened the reasoning already.
  explicit ReasoningSplitter(std::string_view prompt = "");

  AnswerParts push(std::string_view piece);
  /// The answer is over: what was held back.
  AnswerParts finish();
  bool inside() const { return state_ == State::reasoning; }
  std::string_view close() const { return close_; }  ///< what ends it, while inside

 private:
  enum class State { beginning, reasoning, gap, text };
  void begin(AnswerParts& out);
  void reason(AnswerParts& out);

  State state_ = State::beginning;
  std::string_view close_;
  std::string held_;
};

/// Whether a token's text belongs to one of the markers.
bool marks_reasoning(std::string_view text);

}  // namespace madang
