// POST /v1/responses, read: the turn it asks for, its input made whole, and the response object that echoes it.
// Refuses (400): what is not built (background, conversations, prompts by id, JSON formats, truncation, tools other
// than functions, strict ones), saying so.
#pragma once
#include "serve/api/talk.h"

namespace madang {

struct ResponsesRequest {
  TalkRequest talk;  ///< without its messages: they begin with those of the response before
  Json input;        ///< items, each with an id
  std::string previous;
  std::optional<bool> store;
  bool stream = false;
  bool logprobs = false;  ///< to be told with the text
  Json response;          ///< "in_progress"; without what only the server knows: id, created_at, store
};

ResponsesRequest read_responses_request(const Json& body);

}  // namespace madang
