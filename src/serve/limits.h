// How much a key may ask for: requests and tokens per minute, each a bucket that fills evenly and holds one minute's
// worth. A request needs a whole request in its bucket and a tokens' bucket that is not empty; what its turn really
// cost is taken afterwards, so the tokens' bucket may go below zero and the next request waits until it is above.
// Used on the handlers' thread alone.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace madang {

class Limits {
 public:
  /// Seconds that only grow; a test's own in tests.
  using Clock = std::function<double()>;
  explicit Limits(Clock clock = {});

  /// Per minute; 0: no bound. A client that is not set has none. Said again, what was spent stays spent.
  void set(const std::string& client, int64_t requests, int64_t tokens);

  /// Takes one request. Throws Problem (429, with Retry-After) if there is none left, or no tokens.
  void take_request(const std::string& client);
  /// After a turn: prompt and answer together, without what the cache had.
  void spend_tokens(const std::string& client, int64_t tokens);

  /// Seconds until the tokens' bucket is half full: until then work that can wait leaves what there is to who asks now.
  double wait_for_half(const std::string& client) const;

  /// x-ratelimit-{limit,remaining,reset}-{requests,tokens}, as OpenAI sends them; empty without limits.
  std::vector<std::pair<std::string, std::string>> headers(const std::string& client) const;

 private:
  struct Bucket {
    double most = 0, level = 0, at = 0;  ///< most 0: no bound
    void fill(double now);
    double wait(double wanted) const;  ///< seconds until it holds so much
  };
  struct Buckets {
    Bucket requests, tokens;
  };

  Clock clock_;
  std::map<std::string, Buckets> clients_;
};

}  // namespace madang
