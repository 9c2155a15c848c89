#include "serve/api/sampling.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>

#include "base/version.h"

namespace madang {
namespace {

// OpenAI allows 4; clients of local servers send more.
constexpr size_t most_stops = 16, longest_stop = 1024;

constexpr int64_t most_choices = 128;  // OpenAI's, and the engine's

std::string read_stop(const Json& stop, const std::string& path) {
  if (!stop.is_string()) throw Problem(say("'{}' must be a text or an array of texts", "stop"), path, "invalid_type");
  const auto& text = stop.get_ref<const std::string&>();
  if (text.empty() || text.size() > longest_stop)
    throw Problem(say("a stop text has 1 to {} bytes, this one {}", longest_stop, text.size()), path, "invalid_value");
  return text;
}

void read_stops(Fields& fields, TalkRequest& out) {
  const Json* stop = fields.any("stop");
  if (!stop) return;
  if (!stop->is_array()) {
    out.stops.push_back(read_stop(*stop, "stop"));
    return;
  }
  if (stop->size() > most_stops)
    throw Problem(say("at most {} stop texts, not {}", most_stops, stop->size()), "stop", "array_above_max_length");
  for (size_t i = 0; i < stop->size(); ++i)
    out.stops.push_back(read_stop((*stop)[i], "stop[" + std::to_string(i) + "]"));
}

void read_logit_bias(Fields& fields, TalkRequest& out) {
  const Json* biases = fields.object("logit_bias");
  if (!biases) return;
  Fields inner(*biases, "logit_bias");
  for (const auto& [id, bias] : biases->items()) {
    int32_t number = -1;
    const auto [end, fault] = std::from_chars(id.data(), id.data() + id.size(), number);
    if (fault != std::errc() || end != id.data() + id.size() || number < 0)
      throw Problem(say("the keys of 'logit_bias' are token ids"), inner.path(id), "invalid_value");
    out.logit_bias[id] = inner.number(id, -100, 100).value_or(0);
  }
}

}  // namespace

void read_sampling(Fields& fields, TalkRequest& out) {
  out.temperature = fields.number("temperature", 0, 2);
  out.top_p = fields.number("top_p", 0, 1);
  out.top_k = fields.integer("top_k", -1, INT32_MAX);
  out.min_p = fields.number("min_p", 0, 1);
  out.repetition_penalty = fields.number("repetition_penalty", 0.01, 100);
  out.frequency_penalty = fields.number("frequency_penalty", -2, 2);
  out.presence_penalty = fields.number("presence_penalty", -2, 2);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX)) out.seed = static_cast<uint64_t>(*seed);
  out.n = static_cast<int>(fields.integer("n", 1, most_choices).value_or(1));
  read_stops(fields, out);
  read_logit_bias(fields, out);
}

SamplerOptions sampler_of(const TalkRequest& request, const GenerationDefaults& defaults) {
  SamplerOptions o;
  auto first = [](const auto& asked, const auto& usual, auto otherwise) {
    return asked ? *asked : usual ? *usual : otherwise;
  };
  o.temperature = first(request.temperature, defaults.temperature, o.temperature);
  // 0 means the likeliest alone, for which any mass above nothing will do.
  o.top_p = std::max(first(request.top_p, defaults.top_p, o.top_p), 1e-9);
  o.top_k = std::max<int64_t>(first(request.top_k, defaults.top_k, o.top_k), 0);  // vLLM's clients say -1 for "off"
  o.min_p = first(request.min_p, defaults.min_p, o.min_p);
  o.repetition_penalty = first(request.repetition_penalty, defaults.repetition_penalty, o.repetition_penalty);
  o.frequency_penalty = request.frequency_penalty.value_or(0);
  o.presence_penalty = request.presence_penalty.value_or(0);
  for (const auto& [id, bias] : request.logit_bias) o.logit_bias.emplace_back(std::stoi(id), bias);
  o.seed = request.seed.value_or(0);
  if (request.top_logprobs) o.logprobs = *request.top_logprobs;
  return o;
}

// Not negative, so that it can be given back as an int64.
uint64_t drawn_seed() {
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) >> 1;
}

bool read_stream_options(Fields& fields, bool stream) {
  const Json* options = fields.object("stream_options");
  if (!options) return false;
  if (!stream)
    throw Problem(say("'{}' is only allowed when '{}' is enabled", "stream_options", "stream"), "stream_options",
                  "invalid_value");
  Fields inner(*options, "stream_options");
  const bool usage = inner.boolean("include_usage").value_or(false);
  inner.accept({"include_obfuscation"});  // padding against listeners on the way is OpenAI's, not promised
  inner.finish();
  return usage;
}

Json usage_json(int64_t prompt, int64_t reused, int64_t answer, int64_t reasoning) {
  return {{"prompt_tokens", prompt},
          {"completion_tokens", answer},
          {"total_tokens", prompt + answer},
          {"prompt_tokens_details", {{"cached_tokens", reused}}},
          {"completion_tokens_details", {{"reasoning_tokens", reasoning}}}};
}

std::string system_fingerprint() { return "madang-" + std::string(version); }

double finite_logprob(float logprob) { return std::isfinite(logprob) ? static_cast<double>(logprob) : -9999.0; }

}  // namespace madang
