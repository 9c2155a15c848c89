// A turn told as the events of the responses API, numbered from 0. What is not streamed is the same events gathered.
// Items follow each other: reasoning, message, function calls; one is open at a time.
#pragma once
#include <functional>
#include <vector>

#include "serve/api/talk.h"

namespace madang {

class ResponsesAnswer {
 public:
  /// The bytes of a token as logprobs tell it.
  using Spell = std::function<std::string(int32_t)>;

  /// `response` as read_responses_request makes it, with id and created_at. `spell` empty: no logprobs are told.
  ResponsesAnswer(Json response, Spell spell);

  std::vector<Json> begin();  ///< response.created, response.in_progress
  /// Events of items; with the turn's last event the response has its final status.
  std::vector<Json> push(const TalkEvent& event);
  /// The turn broke: the open item ends as incomplete, the response as failed.
  std::vector<Json> fail(const std::string& message);
  /// Nobody waits for the rest: unless it is whole, the response ends as cancelled, with what there is of it.
  std::vector<Json> cancel();
  /// response.completed, .incomplete or .failed: to be told once the response is stored.
  Json end();

  const Json& response() const { return response_; }

 private:
  Json event(const char* type, Json rest);
  Json part_event(const char* type, Json rest);
  Json& item() { return response_["output"].back(); }
  void open(Json item, std::vector<Json>& out);
  void close(const char* status, std::vector<Json>& out);
  void add_text(const TalkEvent& event, std::vector<Json>& out);
  void add_call(const ToolCallDelta& call, std::vector<Json>& out);
  Json logprobs_of(const std::vector<Sampled>& sampled) const;

  Json response_;
  Spell spell_;
  std::string open_;  ///< the type of the open item, or ""
  int call_ = -1;     ///< of an open function_call: which
  int64_t sequence_ = 0;
  int64_t reasoning_tokens_ = 0;  ///< up to the last piece of reasoning
};

}  // namespace madang
