// What handlers are given: everything a server has, and nothing of how it came by it.
#pragma once
#include <boost/asio/thread_pool.hpp>

#include "serve/http/exchange.h"
#include "serve/room/models.h"

namespace madang {

class Store;        // serve/store/store.h
class Metrics;      // serve/metrics.h
class Log;          // serve/log.h
class Limits;       // serve/limits.h
class BatchRunner;  // serve/api/batch_runner.h

struct Services {
  Models& models;
  Store& store;
  Metrics& metrics;
  Log& log;
  Limits& limits;                     ///< tell it what a turn has cost: limits.spend_tokens(client.name, tokens)
  boost::asio::thread_pool& helpers;  ///< for `elsewhere`
  BatchRunner* batches = nullptr;     ///< works the lines of batches; null: nobody does
};

/// Throws Problem (404 model_not_found: what a key may not ask is not there) unless the client may ask that model.
/// `model`: the name it is open by. Whoever calls Models::use() calls this next.
void check_allowed(const Client& client, const std::string& model);

/// What a turn or an embedding has cost, once it is over: told to the metrics, to the key's limits and to the store.
/// `prompt`: all of it; `reused`: how many of these the cache had. Does not wait for the store.
void account(Services& services, const Client& client, const std::string& model, int64_t prompt, int64_t reused,
             int64_t answer);

}  // namespace madang
