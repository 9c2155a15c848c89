// A chat completion's request (OpenAI's CreateChatCompletionRequest), read into a turn.
//
//   taken        model, messages, n, stop, seed, temperature, top_p, logprobs, top_logprobs, logit_bias,
//                frequency_penalty, presence_penalty, max_tokens, max_completion_tokens, stream, stream_options, tools,
//                tool_choice (also allowed_tools), parallel_tool_calls
//   to template  reasoning_effort (as that variable; "none" also sets enable_thinking to false), chat_template_kwargs
//   others' own  top_k, min_p, repetition_penalty (llama.cpp's and vLLM's clients)
//   no effect    user, metadata, safety_identifier, prompt_cache_key, prompt_cache_retention, prompt_cache_options,
//                prediction, service_tier: labels, and hints that cannot change an answer
//   one value    response_format (text), modalities (text), verbosity (medium), store (false)
//   refused      audio, web_search_options, moderation, functions, function_call: 400, "unsupported"
//   all else     400, "unknown_parameter"
#pragma once
#include "serve/api/talk.h"

namespace madang {

struct ChatRequest {
  TalkRequest talk;
  bool stream = false;
  bool include_usage = false;
};

/// Throws Problem.
ChatRequest read_chat_request(const Json& body);

/// messages, tools, tool_choice, chat_template_kwargs and reasoning_effort: what makes the prompt.
class Fields;
void read_conversation(Fields& fields, TalkRequest& out);

}  // namespace madang
