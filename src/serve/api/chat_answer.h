// A chat completion's answer in OpenAI's words, whole (chat.completion) or in pieces (chat.completion.chunk). Both are
// made of the same events, so the pieces together are the whole.
#pragma once
#include <string>
#include <vector>

#include "serve/api/talk.h"

namespace madang {

class ChatAnswer {
 public:
  /// `chunk_usage`: chunks have a usage, null but for the last.
  ChatAnswer(const Talk& talk, const std::string& model, const TalkRequest& request, bool chunk_usage);

  /// Throws Problem if the choice failed or was cancelled.
  void push(const TalkEvent& event);
  Json whole() const;

  std::vector<Json> first_chunks() const;  ///< the roles
  std::vector<Json> chunks(const TalkEvent& event) const;
  Json usage_chunk() const;

 private:
  struct Choice {
    std::string text, reasoning, finish;
    std::vector<ToolCallDelta> calls;
    Json logprobs = Json::array();
    Usage usage;
    int64_t reasoning_tokens = 0;
  };
  Json head(const char* object) const;
  Json chunk(int choice, Json delta, Json finish) const;
  Json logprobs(const std::vector<Sampled>& sampled) const;
  Json token(int32_t id, float logprob) const;
  Json usage() const;
  Json timings() const;

  const Talk& talk_;
  std::string id_, model_;
  int64_t created_;
  bool with_logprobs_, chunk_usage_;
  std::vector<Choice> choices_;
};

}  // namespace madang
