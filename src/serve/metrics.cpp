// Buckets are those that the semantic conventions recommend, with longer times added where a processor needs them.
#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace madang {
namespace {

constexpr size_t most_series = 1000;  // per family: some KiB each at worst

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs labels_of(const std::string& model, const std::string& client) {
  return {{"gen_ai_provider_name", "madang"}, {"gen_ai_request_model", model}, {"client", client}};
}

// Exposition format: backslash, quote and line end are written with a backslash.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string braces(const Pairs& labels, std::string_view le = {}) {
  std::string out;
  auto add = [&](std::string_view name, std::string_view value) {
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, escaped(value));
  };
  for (const auto& [name, value] : labels) add(name, value);
  if (!le.empty()) add("le", le);
  return out.empty() ? out : '{' + out + '}';
}

void announce(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

template <class Number>
void single(std::string& out, std::string_view name, std::string_view help, std::string_view type, Number value) {
  announce(out, name, help, type);
  out += fmt::format("{} {}\n", name, value);
}

void counters(std::string& out, std::string_view name, std::string_view help, const std::map<Pairs, int64_t>& rows) {
  announce(out, name, help, "counter");
  for (const auto& [labels, value] : rows) out += fmt::format("{}{} {}\n", name, braces(labels), value);
}

// The series of these labels; of "other" ones once there are too many.
template <class Map>
auto& series_of(Map& map, Pairs labels) {
  if (map.size() >= most_series && !map.contains(labels))
    for (auto& [name, value] : labels) value = "other";
  return map[std::move(labels)];
}

template <class Get>
void per_model(std::string& out, std::string_view name, std::string_view help, std::string_view type,
               std::span<const ModelStatus> models, Get get) {
  announce(out, name, help, type);
  for (const ModelStatus& m : models) out += fmt::format("{}{} {}\n", name, braces({{"model", m.name}}), get(m));
}

void write_models(std::string& out, std::span<const ModelStatus> models) {
  using M = const ModelStatus&;
  per_model(out, "madang_model_loaded", "Whether the model is open.", "gauge", models, [](M m) { return int{m.open}; });
  per_model(out, "madang_sequences_running", "Answers being computed.", "gauge", models,
            [](M m) { return m.load.running; });
  per_model(out, "madang_sequences_waiting", "Answers in the queue.", "gauge", models,
            [](M m) { return m.load.waiting; });
  per_model(out, "madang_state_bytes", "Memory of running sequences.", "gauge", models,
            [](M m) { return m.load.state_bytes; });
  per_model(out, "madang_cache_bytes", "Memory of the prefix cache.", "gauge", models,
            [](M m) { return m.load.cache_bytes; });
  per_model(out, "madang_cache_lookups_total", "Prompts looked up in the prefix cache.", "counter", models,
            [](M m) { return m.load.stats.cache.lookups; });
  per_model(out, "madang_cache_hits_total", "Prompts whose beginning was in the prefix cache.", "counter", models,
            [](M m) { return m.load.stats.cache.hits; });
  per_model(out, "madang_cache_reused_tokens_total", "Tokens that needed no computing again.", "counter", models,
            [](M m) { return m.load.stats.cache.reused_tokens; });
  per_model(out, "madang_engine_steps_total", "Forwards run.", "counter", models,
            [](M m) { return m.load.stats.steps; });
  per_model(out, "madang_engine_guesses_total", "Tokens guessed ahead and read.", "counter", models,
            [](M m) { return m.load.stats.guessed; });
  per_model(out, "madang_engine_guesses_right_total", "Guesses that were what was drawn.", "counter", models,
            [](M m) { return m.load.stats.accepted; });
  per_model(out, "madang_engine_guessing_lost", "Whether guessing ahead has failed and was given up.", "gauge", models,
            [](M m) { return int{m.load.stats.guessing_lost}; });
  per_model(out, "madang_engine_preemptions_total", "Sequences that had to make room.", "counter", models,
            [](M m) { return m.load.stats.preemptions; });
}

}  // namespace

std::span<const double> Metrics::duration_bounds() {
  static constexpr double bounds[] = {0.01, 0.02, 0.04,  0.08,  0.16,  0.32,  0.64,  1.28,
                                      2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84};
  return bounds;
}

std::span<const double> Metrics::first_token_bounds() {
  static constexpr double bounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25,
                                      0.5,   0.75,  1,    2.5,  5,    7.5,  10,   20,  40};
  return bounds;
}

std::span<const double> Metrics::per_token_bounds() {
  static constexpr double bounds[] = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5};
  return bounds;
}

std::span<const double> Metrics::token_bounds() {
  static constexpr double bounds[] = {1,     4,     16,     64,      256,     1024,     4096,
                                      16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
  return bounds;
}

void Metrics::observe(Family& family, Labels labels, double value) {
  Histogram& h = series_of(family.series, std::move(labels));
  h.buckets.resize(family.bounds.size() + 1);
  ++h.buckets[static_cast<size_t>(std::ranges::lower_bound(family.bounds, value) - family.bounds.begin())];
  h.sum += value;
  ++h.count;
}

void Metrics::first_token(const std::string& model, const std::string& client, double seconds) {
  observe(first_token_, labels_of(model, client), seconds);
}

void Metrics::per_token(const std::string& model, const std::string& client, double seconds) {
  observe(per_token_, labels_of(model, client), seconds);
}

void Metrics::tokens(const std::string& model, const std::string& client, int64_t prompt, int64_t reused,
                     int64_t answer) {
  const Labels labels = labels_of(model, client);
  auto usage = [&](const char* type, int64_t count) {
    Labels typed = labels;
    typed.emplace_back("gen_ai_token_type", type);
    observe(token_usage_, std::move(typed), static_cast<double>(count));
  };
  usage("input", prompt);
  usage("output", answer);
  series_of(prompt_tokens_, labels) += prompt;
  series_of(reused_tokens_, labels) += reused;
  series_of(answer_tokens_, labels) += answer;
}

void Metrics::request(const std::string& operation, const std::string& model, const std::string& client, int status,
                      double seconds) {
  const std::string code = std::to_string(status);
  series_of(requests_, {{"operation", operation}, {"model", model}, {"client", client}, {"status", code}}) += 1;
  if (operation.empty()) return;
  Labels labels = labels_of(model, client);
  labels.emplace_back("gen_ai_operation_name", operation);
  if (status >= 400) labels.emplace_back("error_type", code);
  observe(duration_, std::move(labels), seconds);
}

double Metrics::uptime() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

void Metrics::write(std::string& out, const char* name, const char* help, const Family& family) {
  announce(out, name, help, "histogram");
  for (const auto& [labels, h] : family.series) {
    int64_t below = 0;
    for (size_t i = 0; i < h.buckets.size(); ++i) {
      below += h.buckets[i];
      const std::string bound = i < family.bounds.size() ? fmt::format("{}", family.bounds[i]) : "+Inf";
      out += fmt::format("{}_bucket{} {}\n", name, braces(labels, bound), below);
    }
    out += fmt::format("{0}_sum{1} {2}\n{0}_count{1} {3}\n", name, braces(labels), h.sum, h.count);
  }
}

std::string Metrics::prometheus(std::span<const ModelStatus> models) const {
  std::string out;
  write(out, "gen_ai_server_request_duration_seconds", "Time of whole requests.", duration_);
  write(out, "gen_ai_server_time_to_first_token_seconds", "Time to the first token of an answer.", first_token_);
  write(out, "gen_ai_server_time_per_output_token_seconds", "Time of each token after the first.", per_token_);
  write(out, "gen_ai_client_token_usage", "Tokens of prompts and answers.", token_usage_);
  counters(out, "madang_requests_total", "Requests answered.", requests_);
  counters(out, "madang_prompt_tokens_total", "Tokens of prompts.", prompt_tokens_);
  counters(out, "madang_reused_tokens_total", "Tokens of prompts that came out of the cache.", reused_tokens_);
  counters(out, "madang_answer_tokens_total", "Tokens of answers.", answer_tokens_);
  single(out, "madang_requests_active", "Requests being answered.", "gauge", active_);
  single(out, "madang_connections", "Open connections.", "gauge", connections_);
  single(out, "madang_connections_refused_total", "Connections beyond the bound.", "counter", refused_connections_);
  single(out, "madang_uptime_seconds", "Time since the start.", "gauge", uptime());
  write_models(out, models);
  return out;
}

}  // namespace madang
