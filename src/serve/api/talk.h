// One turn of a conversation, whichever API asked for it: OpenAI's chat completions and responses and Anthropic's
// messages all become a TalkRequest and read TalkEvents; only the words around them differ.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/answer_reader.h"
#include "engine/engine.h"
#include "serve/services.h"

namespace madang {

struct TalkRequest {
  std::string model;
  Json messages = Json::array();           ///< OpenAI chat messages, checked by Conversation
  std::string messages_path = "messages";  ///< what the API calls them, for errors
  Json tools = Json::array();              ///< OpenAI: [{"type": "function", "function": {...}}]
  Json tool_choice = "auto";               ///< "none", "auto", "required", {"type": "function", "function": {"name"}}
  bool parallel_tool_calls = true;
  Json template_variables = Json::object();  ///< chat_template_kwargs: enable_thinking, reasoning_effort...
  // Sampling. What is absent is the model's own default, else the API's.
  std::optional<double> temperature, top_p, min_p, repetition_penalty, frequency_penalty, presence_penalty;
  std::optional<int64_t> top_k;
  std::optional<uint64_t> seed;              ///< absent: drawn, and told
  std::map<std::string, double> logit_bias;  ///< token id as text
  std::optional<int> top_logprobs;           ///< absent: none
  std::vector<std::string> stops;
  std::optional<int64_t> max_tokens;  ///< absent: until the context is full
  int n = 1;
};

struct TalkEvent {
  int choice = 0;
  AnswerDelta delta;                ///< reasoning, text, pieces of tool calls
  std::vector<Sampled> logprobs;    ///< of the tokens behind it, if asked for
  std::optional<Finish> finish;     ///< the choice's last event
  bool called_tools = false;        ///< with finish: the answer holds tool calls
  std::optional<std::string> stop;  ///< with Finish::stop: which of the stop texts, as far as known
  Usage usage;                      ///< of the choice so far
  int64_t reasoning_tokens = 0;     ///< of usage.answer
  std::optional<Error> fault;       ///< of Finish::failed
};

/// How long a turn has taken so far: until its first token, and from it to its last.
struct TalkTimes {
  double prompt_seconds = 0, answer_seconds = 0;
};

/// Throws Problem for an answer that failed (500) or was cancelled (503), and so has no finish_reason.
void check_whole(Finish finish, const std::optional<Error>& fault);

/// A turn under way. Letting go of it cancels it.
class Talk {
 public:
  /// Opens the model, renders, tokenizes, queues. Throws Problem.
  static Task<std::unique_ptr<Talk>> start(Services& services, Exchange& exchange, TalkRequest request);
  virtual ~Talk() = default;
  virtual Task<std::optional<TalkEvent>> next() = 0;  ///< nothing once all choices have ended
  /// The next one if it has come already: what is there goes out in one write. Nothing: next() would wait.
  virtual Task<std::optional<TalkEvent>> more() { co_return std::nullopt; }
  virtual TalkTimes times() const { return {}; }
  virtual const OpenModel& model() const = 0;
  virtual uint64_t seed() const = 0;
  virtual int64_t prompt_tokens() const = 0;
};

/// The prompt alone, for counting and showing (count_tokens, /apply-template).
Task<Prompt> talk_prompt(Services& services, TalkRequest request);

}  // namespace madang
