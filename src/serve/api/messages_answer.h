// A turn told as Anthropic's stream events. What is not streamed is the same events gathered, so that both are the
// same answer. Blocks follow each other: thinking, text, tool_use; one is open at a time.
#pragma once
#include <vector>

#include "serve/api/talk.h"

namespace madang {

class MessagesAnswer {
 public:
  /// `model` as the client called it.
  MessagesAnswer(std::string id, std::string model, int64_t prompt_tokens);

  std::vector<Json> begin();  ///< message_start, ping
  /// What one event of the turn becomes; with its finish also message_delta and message_stop.
  std::vector<Json> push(const TalkEvent& event);

  /// The whole message so far.
  const Json& message() const { return message_; }

 private:
  void open(Json block, std::vector<Json>& out);
  void close(std::vector<Json>& out);
  void add(const char* type, const char* field, const std::string& piece, std::vector<Json>& out);
  void finish(const TalkEvent& event, std::vector<Json>& out);

  Json message_;
  std::string open_;       ///< the type of the open block, or ""
  int call_ = -1;          ///< of an open tool_use: which call
  std::string arguments_;  ///< of an open tool_use, as written so far
};

}  // namespace madang
