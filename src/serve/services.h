// What handlers are given: everything a server has, and nothing of how it came by it.
#pragma once
#include <boost/asio/thread_pool.hpp>

#include "serve/http/exchange.h"
#include "serve/room/models.h"

namespace madang {

class Store;    // serve/store/store.h
class Metrics;  // serve/metrics.h
class Log;      // serve/log.h

struct Services {
  Models& models;
  Store& store;
  Metrics& metrics;
  Log& log;
  boost::asio::thread_pool& helpers;  ///< for `elsewhere`
};

}  // namespace madang
