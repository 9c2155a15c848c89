// OpenAI's older completions: POST /v1/completions. Prompts are texts or token ids, one or many.
// With echo, logprobs tell those of the prompt too, as evaluations ask for them (also with max_tokens 0: no answer).
// Refuses: suffix.
#include <algorithm>
#include <chrono>

#include "serve/api/named_events.h"
#include "serve/api/routes.h"
#include "serve/api/sampling.h"
#include "serve/api/sse.h"
#include "serve/fields.h"
#include "serve/metrics.h"
#include "serve/problem.h"

namespace madang {
namespace {

constexpr size_t most_prompts = 128;      // as many as choices of one prompt
constexpr int64_t usual_max_tokens = 16;  // OpenAI's

struct CompletionRequest {
  TalkRequest talk;
  std::vector<Json> prompts;  // each a text or an array of ids
  int best_of = 1;
  bool echo = false, stream = false, include_usage = false;

  bool scored() const { return echo && talk.top_logprobs; }
  bool computed() const { return talk.max_tokens != 0 || scored(); }
};

void read_prompts(Fields& fields, CompletionRequest& out) {
  const Json& prompt = fields.need("prompt", fields.any("prompt"));
  const bool many = prompt.is_array() && !prompt.empty() && !prompt[0].is_number();
  if (many)
    out.prompts.assign(prompt.begin(), prompt.end());
  else
    out.prompts.push_back(prompt);
  if (out.prompts.size() > most_prompts)
    throw Problem(say("at most {} prompts in one request", most_prompts), "prompt", "array_above_max_length");
  for (size_t i = 0; i < out.prompts.size(); ++i) {
    const Json& p = out.prompts[i];
    const std::string path = many ? "prompt[" + std::to_string(i) + "]" : "prompt";
    const bool ids = p.is_array() && !p.empty() && std::ranges::all_of(p, [](const Json& id) {
                       return id.is_number_unsigned() && id.get<uint64_t>() <= INT32_MAX;
                     });
    if (!p.is_string() && !ids)
      throw Problem(
          say("'{}' must be a text, an array of texts, an array of token ids, or an array of such arrays", path), path,
          "invalid_type");
  }
}

CompletionRequest read_request(const Json& body) {
  Fields fields(body, "");
  CompletionRequest out;
  out.talk.model = fields.name("model");
  read_prompts(fields, out);
  read_sampling(fields, out.talk);
  if (const auto top = fields.integer("logprobs", 0, 5)) out.talk.top_logprobs = static_cast<int>(*top);
  out.talk.max_tokens = fields.integer("max_tokens", 0, INT32_MAX).value_or(usual_max_tokens);
  out.echo = fields.boolean("echo").value_or(false);
  out.stream = fields.boolean("stream").value_or(false);
  out.include_usage = read_stream_options(fields, out.stream);
  out.best_of = static_cast<int>(fields.integer("best_of", 0, 20).value_or(0));
  if (out.best_of > 0 && out.best_of < out.talk.n)
    throw Problem(say("'{}' must be at least '{}'", "best_of", "n"), "best_of", "invalid_value");
  out.best_of = std::max(out.best_of, out.talk.n);
  if (out.stream && out.best_of > out.talk.n)
    throw Problem(say("'{}' and '{}' cannot both be given", "stream", "best_of"), "best_of", "invalid_value");
  fields.refuse("suffix", say("writing what comes before a suffix is not built yet"));
  fields.accept({"user"});
  fields.finish();
  return out;
}

struct Choice {
  std::string text;
  std::vector<Sampled> logprobs;
  Finish finish = Finish::none;
  double mean() const {
    double sum = 0;
    for (const Sampled& s : logprobs) sum += s.logprob;
    return logprobs.empty() ? 0 : sum / static_cast<double>(logprobs.size());
  }
};

const char* reason_of(Finish finish) {
  return finish == Finish::length || finish == Finish::context ? "length" : "stop";
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char ch) { return (static_cast<unsigned char>(ch) & 0xC0) != 0x80; }));
}

class Completion {
 public:
  Completion(Services& services, Exchange& x, std::shared_ptr<const OpenModel> model, CompletionRequest request)
      : services_(services), x_(x), model_(std::move(model)), request_(std::move(request)) {
    if (!request_.talk.seed) request_.talk.seed = drawn_seed();
  }
  ~Completion() { x_.on_gone({}); }

  Task<void> submit() {
    x_.on_gone([this] {
      for (auto& stream : streams_) stream->cancel();
    });
    for (size_t i = 0; i < request_.prompts.size(); ++i) {
      ids_.push_back(encode(request_.prompts[i], i));
      prompt_tokens_ += static_cast<int64_t>(ids_.back().size());
      if (!request_.computed()) continue;
      Request r;
      r.prompt = ids_.back();
      r.sampler = sampler_of(request_.talk, model_->checkpoint->defaults());
      if (request_.best_of > request_.talk.n && !r.sampler.logprobs) r.sampler.logprobs = 0;
      r.max_tokens = *request_.talk.max_tokens, r.answer = r.max_tokens > 0;
      if (request_.scored()) r.prompt_logprobs = request_.talk.top_logprobs;
      r.ends = model_->checkpoint->defaults().ends;
      r.stops = request_.talk.stops;
      r.n = request_.best_of;
      auto stream = co_await model_->engine->submit(std::move(r), x_.request().client);
      streams_.push_back(std::move(stream));
    }
  }

  Task<void> answer() {
    Json choices = Json::array();
    for (size_t i = 0; i < ids_.size(); ++i) {
      auto all = co_await read(i);
      for (int k = 0; k < request_.talk.n; ++k) {
        if (request_.best_of > request_.talk.n) {  // the likeliest of those left, the first of equals
          const auto best = std::ranges::max_element(all.begin() + k, all.end(), {}, &Choice::mean);
          std::rotate(all.begin() + k, best, best + 1);
        }
        Choice& c = all[static_cast<size_t>(k)];
        const std::string before = request_.echo ? echo(i) : std::string();
        Json all_logprobs = logprobs(c.logprobs, characters(before));
        if (request_.scored()) all_logprobs = joined(prompt_logprobs(i, scores_.at(i)), all_logprobs);
        choices.push_back(told(choices.size(), before + c.text, std::move(all_logprobs), c.finish));
      }
    }
    Json out = head();
    out["choices"] = std::move(choices);
    out["usage"] = usage_json(prompt_tokens_, reused_, answer_tokens_, 0);
    settle();
    co_await x_.reply(200, "application/json", json_text(out));
  }

  Task<void> write_chunks() {
    co_await x_.begin(200, event_stream);
    for (size_t i = 0; i < ids_.size(); ++i) co_await write_prompt(i);
    std::string piece;
    if (request_.include_usage) {
      Json last = head();
      last["choices"] = Json::array();
      last["usage"] = usage_json(prompt_tokens_, reused_, answer_tokens_, 0);
      piece += data_event(last);
    }
    settle();
    co_await x_.write(piece + "data: [DONE]\n\n");
  }

 private:
  std::vector<int32_t> encode(const Json& prompt, size_t i) const {
    std::vector<int32_t> ids;
    if (prompt.is_array()) {
      for (const Json& id : prompt) ids.push_back(id.get<int32_t>());
    } else {
      const auto tokenizer = model_->checkpoint->tokenizer();
      if (!tokenizer) throw Problem(say("this model has no tokenizer: it takes token ids"), "prompt");
      ids = tokenizer->encode(prompt.get_ref<const std::string&>(), true);
      if (tokenizer->bos() && (tokenizer->add_bos() || ids.empty()) && (ids.empty() || ids[0] != *tokenizer->bos()))
        ids.insert(ids.begin(), *tokenizer->bos());
    }
    const auto context = model_->engine->context();
    if (static_cast<int64_t>(ids.size()) >= context)
      throw Problem(say("This model's maximum context length is {} tokens. However, your prompt has {} tokens. "
                        "Please reduce its length.",
                        context, ids.size()),
                    request_.prompts.size() > 1 ? "prompt[" + std::to_string(i) + "]" : "prompt",
                    "context_length_exceeded");
    return ids;
  }

  std::string echo(size_t i) const {
    const Json& prompt = request_.prompts[i];
    if (prompt.is_string()) return prompt.get<std::string>();
    const auto tokenizer = model_->checkpoint->tokenizer();
    return tokenizer ? tokenizer->decode(ids_[i]) : std::string();
  }

  // All choices of one prompt, in their order.
  Task<std::vector<Choice>> read(size_t i) {
    std::vector<Choice> all(static_cast<size_t>(request_.best_of));
    if (streams_.empty()) {
      for (Choice& c : all) c.finish = Finish::length;
    }
    while (!streams_.empty()) {
      auto event = co_await streams_[i]->next();
      if (!event) break;
      if (x_.gone()) throw Gone();
      Choice& c = all.at(static_cast<size_t>(event->choice));
      c.text += event->text;
      if (!event->prompt_scores.empty()) scores_[i] = std::move(event->prompt_scores);
      if (event->logprobs) c.logprobs.push_back(std::move(*event->logprobs));
      count(*event);
      check_whole(event->finish, event->fault);
      if (event->finish != Finish::none) c.finish = event->finish;
    }
    co_return all;
  }

  Task<void> write_prompt(size_t i) {
    std::string piece;
    const std::string before = request_.echo ? echo(i) : std::string();
    std::vector<size_t> offsets(static_cast<size_t>(request_.talk.n), characters(before));
    auto write_before = [&](const Json& logprobs, Finish finish) {
      for (int k = 0; k < request_.talk.n; ++k) piece += data_event(chunk(i, k, before, logprobs, finish));
    };
    const bool over = streams_.empty();
    if (over || (!before.empty() && !request_.scored())) write_before(nullptr, over ? Finish::length : Finish::none);
    while (!streams_.empty()) {
      if (!streams_[i]->ready() && !piece.empty()) co_await x_.write(std::exchange(piece, {}));
      auto event = co_await streams_[i]->next();
      if (!event) break;
      count(*event);
      check_whole(event->finish, event->fault);
      if (!event->prompt_scores.empty()) {
        write_before(prompt_logprobs(i, event->prompt_scores), Finish::none);
        continue;
      }
      size_t& offset = offsets.at(static_cast<size_t>(event->choice));
      Json told = nullptr;
      if (event->logprobs && request_.talk.top_logprobs) told = logprobs({*event->logprobs}, offset);
      offset += characters(event->text);
      if (event->text.empty() && told.is_null() && event->finish == Finish::none) continue;
      piece += data_event(chunk(i, event->choice, event->text, std::move(told), event->finish));
    }
    if (!piece.empty()) co_await x_.write(std::move(piece));
  }

  void count(const Event& event) {
    if (event.token >= 0) ++answer_tokens_;
    if (event.choice == 0 && event.finish != Finish::none) reused_ += event.usage.reused;
    if (event.token >= 0 && !std::exchange(heard_, true))
      services_.metrics.first_token(model_->name, x_.request().client.name,
                                    std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count());
  }

  void settle() {
    x_.note("prompt_tokens", std::to_string(prompt_tokens_));
    x_.note("reused_tokens", std::to_string(reused_));
    x_.note("answer_tokens", std::to_string(answer_tokens_));
    account(services_, x_.request().client, model_->name, prompt_tokens_, reused_, answer_tokens_);
  }

  Json head() const {
    return {{"id", id_},
            {"object", "text_completion"},
            {"created", created_},
            {"model", model_->name},
            {"system_fingerprint", system_fingerprint()}};
  }

  Json told(size_t index, std::string text, Json logprobs_told, Finish finish) const {
    Json reason = nullptr;
    if (finish != Finish::none) reason = reason_of(finish);
    return {{"index", index}, {"text", std::move(text)}, {"logprobs", logprobs_told}, {"finish_reason", reason}};
  }

  Json chunk(size_t prompt, int choice, std::string text, Json logprobs_told, Finish finish) const {
    const size_t index = prompt * static_cast<size_t>(request_.talk.n) + static_cast<size_t>(choice);
    Json out = head();
    out["choices"] = Json::array();
    out["choices"].push_back(told(index, std::move(text), std::move(logprobs_told), finish));
    if (request_.include_usage) out["usage"] = nullptr;
    return out;
  }

  // `offset`: characters of the text before the first of these.
  Json logprobs(const std::vector<Sampled>& sampled, size_t offset) const {
    if (!request_.talk.top_logprobs) return nullptr;
    const auto tokenizer = model_->checkpoint->tokenizer();
    auto text = [&](int32_t id) { return tokenizer ? tokenizer->token_bytes(id) : std::to_string(id); };
    Json tokens = Json::array(), values = Json::array(), tops = Json::array(), offsets = Json::array();
    for (const Sampled& s : sampled) {
      tokens.push_back(text(s.id));
      values.push_back(finite_logprob(s.logprob));
      Json top = Json::object();
      for (const TokenLogprob& t : s.top)
        top.emplace(text(t.id), finite_logprob(t.logprob));  // of equal texts the first
      top.emplace(text(s.id), finite_logprob(s.logprob));    // always there, as OpenAI has it
      tops.push_back(std::move(top));
      offsets.push_back(offset);
      offset += characters(text(s.id));
    }
    return {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", tops}, {"text_offset", offsets}};
  }

  // As the prompt is echoed. Nothing foretells its first token.
  Json prompt_logprobs(size_t i, const std::vector<Sampled>& scores) const {
    Json out = logprobs(scores, 0);
    out["token_logprobs"][0] = nullptr, out["top_logprobs"][0] = nullptr;
    // What the text does not hold stands in front of it: BOS that was put there, the blank of a dummy prefix.
    const std::string last = out["tokens"].back().get<std::string>();
    const size_t end = out["text_offset"].back().get<size_t>() + characters(last);
    const size_t surplus = end - std::min(end, characters(echo(i)));
    for (Json& offset : out["text_offset"]) offset = offset.get<size_t>() - std::min(offset.get<size_t>(), surplus);
    return out;
  }

  static Json joined(Json first, const Json& second) {
    for (auto& [name, values] : first.items())
      for (const Json& value : second.at(name)) values.push_back(value);
    return first;
  }

  Services& services_;
  Exchange& x_;
  std::shared_ptr<const OpenModel> model_;
  CompletionRequest request_;
  std::vector<std::vector<int32_t>> ids_;  // of each prompt
  std::vector<std::unique_ptr<TokenStream>> streams_;
  std::map<size_t, std::vector<Sampled>> scores_;  // of each prompt's tokens, if asked for
  int64_t prompt_tokens_ = 0, answer_tokens_ = 0, reused_ = 0;
  std::string id_ = new_id("cmpl-");
  int64_t created_ = now_microseconds() / 1'000'000;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  bool heard_ = false;
};

Task<void> completions(Services& services, Exchange& x) {
  const Json body = parse_json(x.request().body, "request");
  CompletionRequest request = read_request(body);
  auto model = co_await services.models.use(request.talk.model);
  check_allowed(x.request().client, model->name);
  x.note("model", model->name);
  const bool stream = request.stream;
  Completion completion(services, x, model, std::move(request));
  co_await completion.submit();
  if (stream) {
    auto write = [&completion]() -> Task<void> { return completion.write_chunks(); };
    co_await stream_events(x, write);
  } else {
    co_await completion.answer();
  }
}

}  // namespace

std::vector<Route> completion_routes() { return {{"POST", "/v1/completions", completions}}; }

}  // namespace madang
