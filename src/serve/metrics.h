// What the server counts, in Prometheus' text format. Names are OpenTelemetry's for generative AI (semantic
// conventions, gen-ai metrics) in Prometheus' spelling where they exist, and begin with madang_ where they do not. Used
// on the handlers' thread alone. The number of series is bounded: names beyond the bound are counted as "other", so
// that nobody fills the memory with made-up names.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "serve/room/models.h"

namespace madang {

class Metrics {
 public:
  // Of turns; the API layers call these. `model`: the name it was opened by; `client`: the key's name.
  void first_token(const std::string& model, const std::string& client, double seconds);
  /// The time from the first to the last token, by the number of tokens after the first.
  void per_token(const std::string& model, const std::string& client, double seconds);
  /// prompt: all of it; reused: how many of these came out of the cache.
  void tokens(const std::string& model, const std::string& client, int64_t prompt, int64_t reused, int64_t answer);

  // Of requests and connections; the HTTP floor calls these.
  /// `operation`: "chat", "text_completion", "embeddings" (gen_ai.operation.name), or "" for what asks no model.
  void request(const std::string& operation, const std::string& model, const std::string& client, int status,
               double seconds);
  void begin_request() { ++active_; }
  void end_request() { --active_, ++total_; }
  void open_connection() { ++connections_; }
  void close_connection() { --connections_; }
  void refuse_connection() { ++refused_connections_; }

  int64_t active() const { return active_; }
  int64_t total() const { return total_; }  ///< requests that have ended
  double uptime() const;                    ///< seconds

  /// Text format 0.0.4.
  std::string prometheus(std::span<const ModelStatus> models) const;

 private:
  struct Histogram {
    std::vector<int64_t> buckets;  ///< one count for each bound, and one for what is above them
    double sum = 0;
    int64_t count = 0;
  };
  using Labels = std::vector<std::pair<std::string, std::string>>;
  struct Family {
    std::span<const double> bounds;
    std::map<Labels, Histogram> series;
  };
  void observe(Family& family, Labels labels, double value);
  static void write(std::string& out, const char* name, const char* help, const Family& family);

  static std::span<const double> duration_bounds(), first_token_bounds(), per_token_bounds(), token_bounds();
  Family duration_{duration_bounds(), {}}, first_token_{first_token_bounds(), {}}, per_token_{per_token_bounds(), {}},
      token_usage_{token_bounds(), {}};
  std::map<Labels, int64_t> requests_, prompt_tokens_, reused_tokens_, answer_tokens_;
  int64_t active_ = 0, total_ = 0, connections_ = 0, refused_connections_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace madang
