#include "serve/api/talk.h"

#include <algorithm>
#include <chrono>

#include "serve/api/sampling.h"
#include "serve/http/elsewhere.h"
#include "serve/metrics.h"
#include "serve/problem.h"

namespace madang {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// A place is a field's path if it begins like one; everything else is a file of ours.
std::string param_of(const Error& fault, const TalkRequest& request) {
  const std::string& place = fault.place();
  for (const std::string& root : {request.messages_path, std::string("tools"), std::string("tool_choice")})
    if (!root.empty() && place.starts_with(root)) return place;
  return fault.kind() == Kind::refused || fault.kind() == Kind::mismatch ? request.messages_path : std::string();
}

struct Rendered {
  Prompt prompt;
  const ChatFamily* family = nullptr;
  Json tools;
};

Rendered render(const Checkpoint& checkpoint, const TalkRequest& request) {
  try {
    Conversation conversation(checkpoint);
    conversation.replace(request.messages, request.messages_path);
    conversation.set_tools(request.tools, request.tool_choice);
    for (const auto& [name, value] : request.template_variables.items()) conversation.set_variable(name, value);
    return {conversation.prompt(), &conversation.family(), conversation.tools()};
  } catch (const Error& fault) {
    throw Problem(fault, param_of(fault, request));
  }
}

Task<Rendered> render_elsewhere(Services& services, const OpenModel& model, const TalkRequest& request) {
  auto work = [&model, &request] { return render(*model.checkpoint, request); };
  auto rendered = co_await elsewhere(services.helpers, work);
  co_return rendered;
}

struct Choice {
  AnswerReader reader;
  std::vector<Sampled> logprobs;  // of tokens whose text is still held back
  int64_t held = 0;               // such tokens
  int64_t reasoning = 0;
  Usage usage;
  bool ended = false;
  std::optional<Clock::time_point> first, last;
};

class EngineTalk final : public Talk {
 public:
  EngineTalk(Services& services, Exchange& exchange, std::shared_ptr<const OpenModel> model, uint64_t seed)
      : services_(services), exchange_(exchange), model_(std::move(model)), seed_(seed) {}

  ~EngineTalk() override {
    exchange_.on_gone({});
    try {
      account_for_it();
    } catch (...) {  // nobody is left to be told
    }
  }

  Task<void> begin(Rendered rendered, const TalkRequest& request) {
    prompt_tokens_ = static_cast<int64_t>(rendered.prompt.ids.size());
    const int64_t context = model_->engine->context();
    if (prompt_tokens_ >= context)
      throw Problem(
          say("This model's maximum context length is {} tokens. However, your messages resulted in {} tokens. "
              "Please reduce the length of the messages.",
              context, prompt_tokens_),
          request.messages_path, "context_length_exceeded");
    for (int choice = 0; choice < request.n; ++choice)
      choices_.push_back({AnswerReader(*rendered.family, rendered.prompt.text, rendered.tools,
                                       {.parallel_tool_calls = request.parallel_tool_calls,
                                        .seed = choice_seed(seed_, choice),
                                        .begun = rendered.prompt.begun})});
    Request r;
    r.prompt = std::move(rendered.prompt.ids);
    r.marks = std::move(rendered.prompt.marks);
    r.sampler = sampler_of(request, model_->checkpoint->defaults());
    r.sampler.seed = seed_;
    r.max_tokens = request.max_tokens.value_or(0);
    r.ends = model_->checkpoint->defaults().ends;
    r.silent = silent_tokens(*rendered.family, *model_->checkpoint->tokenizer());
    r.stops = request.stops;
    r.n = request.n;
    stream_ = co_await model_->engine->submit(std::move(r), exchange_.request().client);
    exchange_.on_gone([this] { stream_->cancel(); });
  }

  Task<std::optional<TalkEvent>> next() override { return read(true); }
  Task<std::optional<TalkEvent>> more() override { return read(false); }
  const OpenModel& model() const override { return *model_; }
  uint64_t seed() const override { return seed_; }
  int64_t prompt_tokens() const override { return prompt_tokens_; }

  TalkTimes times() const override {
    TalkTimes times;
    for (const Choice& c : choices_)
      if (c.first)
        times = {std::max(times.prompt_seconds, seconds(*c.first - began_)),
                 std::max(times.answer_seconds, seconds(*c.last - *c.first))};
    return times;
  }

 private:
  Task<std::optional<TalkEvent>> read(bool wait) {
    while (wait || stream_->ready()) {
      auto event = co_await stream_->next();
      if (!event) {
        account_for_it();
        co_return std::nullopt;
      }
      auto told = take(std::move(*event));
      if (told) co_return told;
    }
    co_return std::nullopt;
  }

  // What a token adds to its choice's answer; nothing while it is held back.
  std::optional<TalkEvent> take(Event event) {
    Choice& c = choices_.at(static_cast<size_t>(event.choice));
    if (c.ended) return {};  // cancelled by us
    clock(c, event);
    TalkEvent told{.choice = event.choice};
    told.delta = c.reader.push(event.text);
    if (event.logprobs) c.logprobs.push_back(std::move(*event.logprobs));
    c.usage = event.usage;
    c.ended = event.finish != Finish::none || c.reader.done();
    if (c.ended) {
      add(told.delta, c.reader.finish());
      told.finish = event.finish == Finish::none ? Finish::end : event.finish;
      if (told.finish == Finish::stop) told.stop = event.stop;
      told.fault = event.fault;
      told.called_tools = c.reader.calls() > 0;
      if (std::ranges::all_of(choices_, &Choice::ended)) stream_->cancel();
    }
    c.held += event.token >= 0;
    if (told.delta.empty() && !c.ended) return {};
    if (!told.delta.reasoning.empty() && told.delta.text.empty()) c.reasoning += c.held;
    c.held = 0;
    told.logprobs = std::exchange(c.logprobs, {});
    told.usage = c.usage;
    told.reasoning_tokens = c.reasoning;
    return told;
  }

  static void add(AnswerDelta& delta, AnswerDelta rest) {
    delta.reasoning += rest.reasoning;
    delta.text += rest.text;
    for (ToolCallDelta& call : rest.calls) {
      const auto same = std::ranges::find(delta.calls, call.index, &ToolCallDelta::index);
      if (same == delta.calls.end())
        delta.calls.push_back(std::move(call));
      else
        same->arguments += call.arguments;
    }
  }

  void clock(Choice& c, const Event& event) {
    if (event.token < 0) return;
    const auto now = Clock::now();
    if (!std::exchange(heard_, true))
      services_.metrics.first_token(model_->name, exchange_.request().client.name, seconds(now - began_));
    if (!c.first) c.first = now;
    c.last = now;
  }

  void account_for_it() {
    if (choices_.empty() || !stream_ || std::exchange(accounted_, true)) return;
    const std::string& client = exchange_.request().client.name;
    int64_t answer = 0, reused = 0;
    for (const Choice& c : choices_) {
      answer += c.usage.answer;
      reused = std::max(reused, c.usage.reused);
      if (c.usage.answer > 1 && c.first)
        services_.metrics.per_token(model_->name, client,
                                    seconds(*c.last - *c.first) / static_cast<double>(c.usage.answer - 1));
    }
    exchange_.note("prompt_tokens", std::to_string(prompt_tokens_));
    exchange_.note("reused_tokens", std::to_string(reused));
    exchange_.note("answer_tokens", std::to_string(answer));
    account(services_, exchange_.request().client, model_->name, prompt_tokens_, reused, answer);
  }

  Services& services_;
  Exchange& exchange_;
  std::shared_ptr<const OpenModel> model_;
  uint64_t seed_;
  int64_t prompt_tokens_ = 0;
  std::vector<Choice> choices_;
  std::unique_ptr<TokenStream> stream_;
  Clock::time_point began_ = Clock::now();
  bool heard_ = false, accounted_ = false;
};

}  // namespace

void check_whole(Finish finish, const std::optional<Error>& fault) {
  if (finish == Finish::failed) throw Problem(*fault).status(500);
  if (finish == Finish::cancelled) throw Problem(say("the answer was cancelled")).status(503);
}

Task<std::unique_ptr<Talk>> Talk::start(Services& services, Exchange& exchange, TalkRequest request) {
  auto model = co_await services.models.use(request.model);
  check_allowed(exchange.request().client, model->name);
  exchange.note("model", model->name);
  const uint64_t seed = request.seed ? *request.seed : drawn_seed();
  auto talk = std::make_unique<EngineTalk>(services, exchange, model, seed);
  auto rendered = co_await render_elsewhere(services, *model, request);
  co_await talk->begin(std::move(rendered), request);
  co_return talk;
}

Task<Prompt> talk_prompt(Services& services, TalkRequest request) {
  auto model = co_await services.models.use(request.model);
  auto rendered = co_await render_elsewhere(services, *model, request);
  co_return std::move(rendered.prompt);
}

}  // namespace madang
