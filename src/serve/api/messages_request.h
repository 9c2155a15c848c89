// Anthropic's messages as a turn: system and content blocks become messages of a chat, tool_use and tool_result its
// calls and their answers, thinking its reasoning.
// Refuses (400): images, documents, tools that Anthropic runs itself, redacted thinking, an answer begun by the client.
#pragma once
#include "serve/api/talk.h"

namespace madang {

struct MessagesRequest {
  TalkRequest talk;
  bool stream = false;
};

/// `counting`: as count_tokens takes it, without max_tokens and sampling. Throws Problem.
MessagesRequest read_messages_request(const Json& body, bool counting);

}  // namespace madang
